// What a feature view's window is, in words and as a small drawing.

import { s } from "/assets/shared/dom.js";
import { setting } from "/assets/shared/format.js";

/** `{ sliding: { size_ms, slide_ms } }` → "sliding, 1 h every 10 min". */
export function windowWords(window) {
	if (window?.sliding) {
		const { size_ms, slide_ms } = window.sliding;
		return size_ms === slide_ms
			? `tumbling, ${setting(size_ms)}`
			: `sliding, ${setting(size_ms)} every ${setting(slide_ms)}`;
	}
	if (window?.session)
		return `session, ends after ${setting(window.session.gap_ms)} without an event`;
	return "window";
}

/** The drawing: overlapping bars for sliding windows; events, a gap and the end for sessions. */
export function windowDrawing(window) {
	const line = (x1, x2, y, props) =>
		s("line", {
			x1,
			x2,
			y1: y,
			y2: y,
			"stroke-width": 3,
			"stroke-linecap": "round",
			...props,
		});
	const parts = [];
	if (window?.sliding) {
		const { size_ms, slide_ms } = window.sliding;
		const ratio = Math.max(0.08, Math.min(1, slide_ms / size_ms));
		for (let i = 0; i < 4; i++) {
			const from = 6 + i * ratio * 64;
			if (from > 168) break;
			parts.push(
				line(from, Math.min(from + 64, 174), 8 + i * 9, {
					opacity: i === 0 ? 1 : 0.55,
				}),
			);
		}
	} else if (window?.session) {
		const events = [8, 16, 21, 34, 46, 120, 131, 138];
		parts.push(line(8, 46, 26, {}), line(120, 138, 26, { opacity: 0.55 }));
		parts.push(
			s("line", {
				x1: 46,
				x2: 92,
				y1: 26,
				y2: 26,
				"stroke-width": 1.5,
				"stroke-dasharray": "3 3",
			}),
		);
		parts.push(
			s("line", { x1: 92, x2: 92, y1: 20, y2: 32, "stroke-width": 1.5 }),
		);
		for (const x of events)
			parts.push(
				s("circle", {
					cx: x,
					cy: 12,
					r: 2,
					fill: "currentColor",
					stroke: "none",
				}),
			);
	}
	return s(
		"svg",
		{
			class: "window-drawing",
			viewBox: "0 0 180 44",
			fill: "none",
			stroke: "currentColor",
			role: "img",
			"aria-label": windowWords(window),
		},
		parts,
	);
}
