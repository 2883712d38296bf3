// Lines through a series of values.

import { s, setAttr } from "/assets/shared/dom.js";
import { isNumber } from "/assets/shared/format.js";

/** @param {number} value */
const roundToHundredth = (value) => Math.round(value * 100) / 100;

/**
 * Returns the path of a series in a box of `width` × `height`, with gaps where values are unknown.
 * @param {(number | null)[]} values
 * @param {number} width
 * @param {number} height
 * @param {number} top the value at the upper edge
 * @param {number} bottom the value at the lower edge
 */
export function seriesPath(values, width, height, top, bottom = 0) {
	const step = values.length > 1 ? width / (values.length - 1) : 0;
	const range = top - bottom || 1;
	let path = "";
	let connected = false;
	values.forEach((value, index) => {
		if (isNumber(value)) {
			const x = roundToHundredth(index * step);
			const share = (value - bottom) / range;
			const y = roundToHundredth(height - share * height);
			// A value alone between gaps is a dot: a line of no length with round ends.
			path += connected ? `L${x} ${y}` : `M${x} ${y}h0`;
		}
		connected = isNumber(value);
	});
	return path;
}

/** @param {string} className */
const strokePath = (className) =>
	s("path", { class: className, "vector-effect": "non-scaling-stroke" });

/**
 * Creates a line of the size of a word. It shows the course of the newest values, not their height.
 * @param {{ most?: number, fewest?: number, fromZero?: boolean }} [options] `fewest`: values needed to show the line
 */
export function createSparkline(options = {}) {
	const { most = 60, fewest = 2, fromZero = true } = options;
	const line = strokePath("spark-line");
	const end = strokePath("spark-end");
	const element = s(
		"svg",
		{
			class: "spark",
			viewBox: "-2 -3 104 26",
			preserveAspectRatio: "none",
			"aria-hidden": "true",
		},
		line,
		end,
	);
	/** @param {(number | null)[]} series */
	function update(series) {
		const values = series.slice(-most);
		const known = values.filter(isNumber);
		element.style.visibility = known.length >= fewest ? "visible" : "hidden";
		if (known.length < fewest) return;
		const highest = Math.max(...known);
		const lowest = Math.min(...known);
		const bottom = fromZero ? Math.min(lowest, highest * 0.75) : lowest;
		const top = highest === bottom ? highest + 1 : highest;
		const last = values.findLastIndex(isNumber);
		const newest = values.map((value, i) => (i === last ? value : null));
		setAttr(line, "d", seriesPath(values, 100, 20, top, bottom));
		setAttr(end, "d", seriesPath(newest, 100, 20, top, bottom));
	}
	return { element, update };
}
