// Which part of the history the charts show, and where its ticks and marks are. No elements here.

import { isNumber } from "/assets/shared/format.js";

/** @import { History, HistorySeries, Mark } from "/types/job-api.js" */

/**
 * @typedef {object} ChartWindow
 * @property {number} from the time of the first value
 * @property {number} step the time between two values
 * @property {number} length the number of values of each series
 * @property {Map<HistorySeries, (number | null)[]>} series
 * @property {Mark[]} marks newest first
 * @property {{ at: number, marks: Mark[] }[]} markGroups marks too close to be drawn apart, oldest first
 */

const SHORTEST_MS = 600_000;
const TICKS_MS = [60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000];
const ROUND_NUMBERS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/**
 * Returns the window that shows all known values of the series. A young job fills it, with at least ten minutes.
 * @param {History} history
 * @param {Mark[]} allMarks
 * @param {HistorySeries[]} names
 * @returns {ChartWindow}
 */
export function chartWindow(history, allMarks, names) {
	const step = history.step_ms || 10_000;
	const shortest = Math.ceil(SHORTEST_MS / step) + 1;
	const known = Math.max(...names.map((name) => history[name].length));
	const total = Math.max(shortest, known);
	const padded = names.map((name) => {
		const values = history[name];
		return [...Array(total - values.length).fill(null), ...values];
	});
	const starts = padded.map((values) => values.findIndex(isNumber));
	const firstKnown = Math.min(...starts.map((at) => (at < 0 ? total : at)));
	const first = Math.max(0, Math.min(firstKnown, total - shortest));
	const from = history.from_ms + (first - (total - known)) * step;
	const length = total - first;
	const marks = allMarks
		.filter((mark) => mark.at_ms >= from)
		.sort((a, b) => b.at_ms - a.at_ms);
	return {
		from,
		step,
		length,
		series: new Map(names.map((name, i) => [name, padded[i].slice(first)])),
		marks,
		markGroups: groupMarks(marks, from, step, length),
	};
}

/**
 * @param {Mark[]} marks newest first
 * @param {number} from
 * @param {number} step
 * @param {number} length
 */
function groupMarks(marks, from, step, length) {
	/** @type {ChartWindow["markGroups"]} */
	const groups = [];
	for (const mark of marks.toReversed()) {
		const last = groups.at(-1);
		if (last && mark.at_ms - last.at < (length * step) / 120)
			last.marks.push(mark);
		else {
			const at = Math.min(mark.at_ms, from + (length - 1) * step);
			groups.push({ at, marks: [mark] });
		}
	}
	return groups;
}

/**
 * Returns the time of the value at `index`.
 * @param {ChartWindow} window
 * @param {number} index
 */
export const timeAt = ({ from, step }, index) => from + index * step;

/**
 * Returns where a time is on the axis, in percent.
 * @param {ChartWindow} window
 * @param {number} at
 */
export const percentAt = ({ from, step, length }, at) =>
	((at - from) / ((length - 1) * step)) * 100;

/**
 * Returns the round times that the axis names, at most `most`.
 * @param {ChartWindow} window
 * @param {number} most
 */
export function tickTimes({ from, step, length }, most) {
	const spacing =
		TICKS_MS.find((ms) => (length * step) / ms <= most) ?? 1_800_000;
	const times = [];
	const end = from + (length - 1) * step;
	for (let at = Math.ceil(from / spacing) * spacing; at <= end; at += spacing)
		times.push(at);
	return times;
}

/**
 * Returns the next round number from `value` up.
 * @param {number} value
 */
export function roundUp(value) {
	if (!(value > 0)) return 1;
	const power = 10 ** Math.floor(Math.log10(value));
	const steps = ROUND_NUMBERS.map((number) => number * power);
	return steps.find((step) => step >= value * 0.999) ?? value;
}
