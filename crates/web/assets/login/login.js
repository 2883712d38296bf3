// The login form works without this. It only adds: a token from the address (…/login#token) goes into the field and out of
// the address, and a refused one is said.

const field = document.getElementById("token");
const token = location.hash.slice(1);
if (token) {
	try {
		field.value = decodeURIComponent(
			token.startsWith("token=") ? token.slice(6) : token,
		);
	} catch {
		field.value = token;
	}
}
if (new URLSearchParams(location.search).has("failed")) {
	document.getElementById("failed").hidden = false;
	field.setAttribute("aria-invalid", "true");
}
// Neither token nor failure stays in the address, in the history, or in a link somebody copies.
if (location.hash || location.search)
	history.replaceState(null, "", location.pathname);
field.focus();
