// A link to /login#TOKEN fills the form in. What follows # is never sent to a server by itself.

const token = decodeURIComponent(location.hash.slice(1));
if (token !== "") {
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("token").value = token;
  document.querySelector("form").submit();
}
