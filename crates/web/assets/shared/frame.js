// What the frames of both UIs do alike: which page a path is, and links and keys that need no loading anew.

/** The page of `path` among `routes` (`[pattern, page]`), with the first group of its pattern, decoded; or null. */
export function find(routes, path) {
	for (const [pattern, page] of routes) {
		const match = pattern.exec(path);
		if (match) return { page, name: decoded(match[1] ?? "") };
	}
	return null;
}

function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text; // a percent sign that is no escape
	}
}

/**
 * Hands clicks on links that `selector` matches to `go(link)`, unless they are to open elsewhere, and brings `/` to the
 * search box of the page; where it has none, to `search()`.
 */
export function follow(selector, go, search = () => {}) {
	const plain = (event) => !event.metaKey && !event.ctrlKey && !event.altKey;
	document.addEventListener("click", (event) => {
		const link = event.target.closest?.(selector);
		if (!link || event.button !== 0 || event.shiftKey || !plain(event)) return;
		event.preventDefault();
		go(link);
	});
	document.addEventListener("keydown", (event) => {
		const typing = event.target.closest?.("input, textarea, select");
		if (event.key !== "/" || typing || !plain(event)) return;
		event.preventDefault();
		const box = document.querySelector("main input[type=search]");
		if (box) box.focus();
		else search();
	});
}
