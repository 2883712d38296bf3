// Light, dark or as the system says. A classic script in the head, so that the choice holds before the first paint.
// Any `<button data-theme-toggle>` turns it on: system → light → dark.
(() => {
	const KEY = "windrow.theme";
	const NEXT = { system: "light", light: "dark", dark: "system" };
	const root = document.documentElement;

	function kept() {
		try {
			const theme = localStorage.getItem(KEY);
			return theme === "light" || theme === "dark" ? theme : "system";
		} catch {
			return "system"; // storage is off in this browser
		}
	}

	function show(theme) {
		if (theme === "system") delete root.dataset.theme;
		else root.dataset.theme = theme;
		for (const button of document.querySelectorAll("[data-theme-toggle]")) {
			button.setAttribute(
				"aria-label",
				`Theme: ${theme}. Switch to ${NEXT[theme]}`,
			);
			button.title = `Theme: ${theme}`;
		}
	}

	show(kept());
	addEventListener("DOMContentLoaded", () => show(kept()));
	addEventListener("storage", (event) => event.key === KEY && show(kept()));
	document.addEventListener("click", (event) => {
		if (!event.target.closest?.("[data-theme-toggle]")) return;
		const theme = NEXT[kept()];
		try {
			localStorage.setItem(KEY, theme);
		} catch {
			// It then holds for this page only.
		}
		show(theme);
	});
})();
