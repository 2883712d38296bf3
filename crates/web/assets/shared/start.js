// Fetches a page's modules once its frame can be painted: they need some time, the frame needs none of them.
(() => {
	const start = () =>
		document.head.append(document.getElementById("modules").content);
	// In a tab that nobody sees nothing is painted, and it shall have its title.
	if (document.hidden) start();
	else requestAnimationFrame(start);
})();
