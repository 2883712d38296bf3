// What the frames of both user interfaces share: which page a path names, and links and keys that need no page load.

/**
 * Returns the page of `path`, with the decoded first group of its pattern, or null.
 * @template Page
 * @param {[pattern: RegExp, page: Page][]} routes
 * @param {string} path
 */
export function matchRoute(routes, path) {
	for (const [pattern, page] of routes) {
		const match = pattern.exec(path);
		if (match) return { page, name: decodePath(match[1] ?? "") };
	}
	return null;
}

/** @param {string} text */
function decodePath(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text; // a percent sign that begins no escape
	}
}

/** @param {MouseEvent | KeyboardEvent} event */
const hasModifier = (event) => event.metaKey || event.ctrlKey || event.altKey;

/**
 * Returns the closest element around the target of an event that matches `selector`.
 * @param {Event} event
 * @param {string} selector
 */
export function closestTarget(event, selector) {
	const { target } = event;
	if (!(target instanceof Element)) return null;
	const found = target.closest(selector);
	return found instanceof HTMLElement ? found : null;
}

/**
 * Hands clicks on links that match `selector` to `open`, unless the click asks for a new tab or window.
 * @param {string} selector
 * @param {(link: HTMLAnchorElement) => void} open
 */
export function interceptLinks(selector, open) {
	document.addEventListener("click", (event) => {
		const link = closestTarget(event, selector);
		if (!(link instanceof HTMLAnchorElement)) return;
		if (event.button !== 0 || event.shiftKey || hasModifier(event)) return;
		event.preventDefault();
		open(link);
	});
}

/**
 * Makes `/` focus the page's search box; a page without one calls `search`.
 * @param {() => void} [search]
 */
export function focusSearchOnSlash(search) {
	document.addEventListener("keydown", (event) => {
		if (event.key !== "/" || hasModifier(event)) return;
		if (closestTarget(event, "input, textarea, select")) return;
		event.preventDefault();
		const box = document.querySelector("main input[type=search]");
		if (box instanceof HTMLElement) box.focus();
		else search?.();
	});
}

/**
 * Returns the element with this id, which the HTML of the page holds.
 * @param {string} id
 */
export function elementById(id) {
	const element = document.getElementById(id);
	if (!element) throw new Error(`no element #${id}`);
	return element;
}

/**
 * Shows the URL of the JSON behind the page in its footer.
 * @param {string} url
 */
export function showJsonUrl(url) {
	const link = elementById("json-url");
	link.textContent = url.length > 80 ? `${url.slice(0, 79)}…` : url;
	link.setAttribute("href", url);
}
