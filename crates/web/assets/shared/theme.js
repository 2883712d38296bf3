// Switches between light, dark and the system's theme. A classic script in the head: it runs before the first paint.
// Each `<button data-theme-toggle>` moves on: system → light → dark.
(() => {
	const STORAGE_KEY = "windrow.theme";
	/** @type {Record<string, string>} */
	const NEXT = { system: "light", light: "dark", dark: "system" };
	const root = document.documentElement;

	function storedTheme() {
		try {
			const theme = localStorage.getItem(STORAGE_KEY);
			return theme === "light" || theme === "dark" ? theme : "system";
		} catch {
			return "system"; // the browser has no storage
		}
	}

	/** @param {string} theme */
	function applyTheme(theme) {
		if (theme === "system") delete root.dataset.theme;
		else root.dataset.theme = theme;
		for (const button of document.querySelectorAll("[data-theme-toggle]")) {
			const label = `Theme: ${theme}. Switch to ${NEXT[theme]}`;
			button.setAttribute("aria-label", label);
			button.setAttribute("title", `Theme: ${theme}`);
		}
	}

	applyTheme(storedTheme());
	addEventListener("DOMContentLoaded", () => applyTheme(storedTheme()));
	addEventListener("storage", ({ key }) => {
		if (key === STORAGE_KEY) applyTheme(storedTheme());
	});
	document.addEventListener("click", ({ target }) => {
		if (!(target instanceof Element)) return;
		if (!target.closest("[data-theme-toggle]")) return;
		const theme = NEXT[storedTheme()];
		try {
			localStorage.setItem(STORAGE_KEY, theme);
		} catch {
			// Without storage the theme lasts until the page is left.
		}
		applyTheme(theme);
	});
})();
