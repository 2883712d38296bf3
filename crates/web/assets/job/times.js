// A moment on the page: the viewer's time, the event-time zone beside it where it differs, everything in the title.

import { h, setAttr, setText } from "/assets/shared/dom.js";
import { time, timeBeside, timeExact } from "/assets/shared/format.js";

/** An element for a moment; `set(ms)` on it changes it in place. `beside`: also in the zone of event times. */
export function moment(ms, { beside = false } = {}) {
	const main = h("span");
	const other = h("span", { class: "muted tiny beside" });
	const node = h("span", { class: "moment" }, main, beside ? other : null);
	node.set = (at) => {
		setText(main, time(at));
		setText(other, timeBeside(at) ?? "");
		setAttr(node, "title", timeExact(at));
	};
	node.set(ms);
	return node;
}
