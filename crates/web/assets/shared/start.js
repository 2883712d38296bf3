// Loads the page's modules once the browser can paint the frame, which needs none of them.
(() => {
	const loadModules = () => {
		const modules = document.getElementById("modules");
		if (modules instanceof HTMLTemplateElement)
			document.head.append(modules.content);
	};
	// A hidden tab is not painted, and its title must not wait for that.
	if (document.hidden) loadModules();
	else requestAnimationFrame(loadModules);
})();
