// The login form works without this script. It moves a token from the address (…/login#token) into the field, and reports
// that the server refused a token.
(() => {
	const field = document.getElementById("token");
	const notice = document.getElementById("failed");
	if (!(field instanceof HTMLInputElement) || !notice) return;
	const token = location.hash.slice(1);
	if (token) {
		try {
			field.value = decodeURIComponent(token.replace(/^token=/, ""));
		} catch {
			field.value = token;
		}
	}
	if (new URLSearchParams(location.search).has("failed")) {
		notice.hidden = false;
		field.setAttribute("aria-invalid", "true");
	}
	// The token and the failure stay neither in the address nor in the history, so a copied link holds neither.
	if (location.hash || location.search)
		history.replaceState(null, "", location.pathname);
	field.focus();
})();
