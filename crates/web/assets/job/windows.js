// The window of a feature view, in words and as a small drawing.

import { s } from "/assets/shared/dom.js";
import { formatSetting } from "/assets/shared/format.js";

/** @import { ElementProps } from "/types/components.js" */
/** @import { WindowPlan } from "/types/job-api.js" */

/**
 * `{ sliding: { size_ms, slide_ms } }` → "sliding, 1 h every 10 min".
 * @param {WindowPlan} window
 */
export function describeWindow({ sliding, session }) {
	if (sliding) {
		const size = formatSetting(sliding.size_ms);
		return sliding.size_ms === sliding.slide_ms
			? `tumbling, ${size}`
			: `sliding, ${size} every ${formatSetting(sliding.slide_ms)}`;
	}
	if (session)
		return `session, ends after ${formatSetting(session.gap_ms)} without an event`;
	return "window";
}

/**
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 * @param {ElementProps} [props]
 */
const line = (x1, y1, x2, y2, props) =>
	s("line", { x1, x2, y1, y2, "stroke-linecap": "round", ...props });

const BAR = { "stroke-width": 3 };
const PALE_BAR = { "stroke-width": 3, opacity: 0.55 };

/**
 * Draws four windows as overlapping bars.
 * @param {number} slideShare the slide as a share of the size
 */
function drawSliding(slideShare) {
	const step = Math.max(0.08, Math.min(1, slideShare)) * 64;
	return [0, 1, 2, 3]
		.map((i) => ({ i, x: 6 + i * step }))
		.filter(({ x }) => x <= 168)
		.map(({ i, x }) =>
			line(x, 8 + i * 9, Math.min(x + 64, 174), 8 + i * 9, i ? PALE_BAR : BAR),
		);
}

/** Draws the events of two sessions, and the gap that ends the first. */
function drawSessions() {
	const events = [8, 16, 21, 34, 46, 120, 131, 138];
	const thin = { "stroke-width": 1.5, "stroke-linecap": null };
	return [
		line(8, 26, 46, 26, BAR),
		line(120, 26, 138, 26, PALE_BAR),
		line(46, 26, 92, 26, { ...thin, "stroke-dasharray": "3 3" }),
		line(92, 20, 92, 32, thin),
		events.map((cx) =>
			s("circle", { cx, cy: 12, r: 2, fill: "currentColor", stroke: "none" }),
		),
	];
}

/**
 * Creates the drawing of a window.
 * @param {WindowPlan} window
 */
export function windowDrawing(window) {
	const { sliding, session } = window;
	return s(
		"svg",
		{
			class: "window-drawing",
			viewBox: "0 0 180 44",
			fill: "none",
			stroke: "currentColor",
			role: "img",
			"aria-label": describeWindow(window),
		},
		sliding ? drawSliding(sliding.slide_ms / sliding.size_ms) : null,
		session && !sliding ? drawSessions() : null,
	);
}
