// Line charts one below the other, with one time axis and one cursor.

import { h, keyedList, s, setAttr, setText } from "/assets/shared/dom.js";
import {
	formatClock,
	formatExactTime,
	formatTime,
	isNumber,
	plural,
} from "/assets/shared/format.js";
import {
	chartWindow,
	percentAt,
	roundUp,
	tickTimes,
	timeAt,
} from "./chart-window.js";
import { seriesPath } from "./sparkline.js";

/** @import { Num } from "/assets/shared/format.js" */
/** @import { History, HistorySeries, Mark } from "/types/job-api.js" */
/** @import { ChartWindow } from "./chart-window.js" */

/**
 * @typedef {object} Chart
 * @property {string} label
 * @property {{ series: HistorySeries, name?: string, dashed?: boolean }[]} lines
 * @property {(value: Num) => string} format
 * @property {(value: Num) => string} exact
 */

/** Half the width of "10:41" below the charts, and of "10:41:07" at the cursor, in pixels. */
const TICK_HALF_WIDTH = 20;
const HAIR_HALF_WIDTH = 34;
/** Without a cursor a value counts as the newest for this many steps. */
const NEWEST_STEPS = 6;
const MAX_MARKS = 50;
/** @type {Record<string, string>} */
const MARK_KINDS = {
	started: "started",
	assigned: "partitions assigned",
	revoked: "partitions revoked",
	savepoint: "savepoint",
	checkpoint_failed: "checkpoint failed",
};

/** @param {Mark} mark */
const markText = ({ text, kind }) => text || (MARK_KINDS[kind] ?? kind);

/**
 * Creates a label with the value at the cursor.
 * @param {Chart} chart
 * @param {Chart["lines"][number]} line
 */
function createReading(chart, { name, dashed }) {
	const value = h("span", { class: "chart-value" });
	const keyClass = dashed ? "chart-key dashed" : "chart-key";
	const key = name ? h("span", { class: keyClass, text: name }) : null;
	const element = h("span", { class: "chart-reading" }, key, value);
	return {
		element,
		/** @param {Num} number */
		update(number) {
			setText(value, chart.format(number));
			const label = name ? `${chart.label} ${name}` : chart.label;
			setAttr(element, "title", `${label}: ${chart.exact(number)}`);
		},
	};
}

/**
 * Returns the path of the area under a series without gaps, or null.
 * @param {(number | null)[]} values
 * @param {string} line the path of the series
 */
function areaPath(values, line) {
	const first = values.findIndex(isNumber);
	const last = values.findLastIndex(isNumber);
	if (last <= first || !values.slice(first, last + 1).every(isNumber))
		return null;
	const x = [last, first].map((index) => (index * 1000) / (values.length - 1));
	return `${line}L${x[0].toFixed(2)} 100L${x[1].toFixed(2)} 100Z`;
}

/**
 * Creates one chart: its label with readings, and its plot.
 * @param {Chart} chart
 */
function createChart(chart) {
	const readings = chart.lines.map((line) => createReading(chart, line));
	const lines = chart.lines.map(({ dashed }) =>
		s("path", {
			class: dashed ? "chart-line dashed" : "chart-line",
			"vector-effect": "non-scaling-stroke",
		}),
	);
	const area =
		lines.length === 1 ? s("path", { class: "chart-area" }) : undefined;
	const topLabel = h("span", { class: "chart-most" });
	const label = h(
		"div",
		{ class: "chart-label" },
		h("span", { class: "muted tiny", text: chart.label }),
		h(
			"div",
			{ class: "chart-readings" },
			readings.map(({ element }) => element),
		),
	);
	const box = {
		viewBox: "0 0 1000 100",
		preserveAspectRatio: "none",
		"aria-hidden": "true",
	};
	const plot = h("div", { class: "chart-plot" }, s("svg", box, area, lines));
	plot.append(topLabel);
	/** @param {ChartWindow} window */
	const seriesOf = ({ series }) =>
		chart.lines.map((line) => series.get(line.series) ?? []);
	return {
		elements: [label, plot],
		/** @param {ChartWindow} window */
		draw(window) {
			const all = seriesOf(window);
			const known = all.flat().filter(isNumber);
			const top = roundUp(Math.max(0, ...known));
			const paths = all.map((values) => seriesPath(values, 1000, 100, top));
			for (const [i, path] of paths.entries()) setAttr(lines[i], "d", path);
			if (area) setAttr(area, "d", areaPath(all[0], paths[0]));
			setText(topLabel, known.length ? chart.format(top) : "");
		},
		/**
		 * Shows the values at the cursor, or the newest, and returns them in words.
		 * @param {ChartWindow} window
		 * @param {number | null} cursor
		 */
		read(window, cursor) {
			return seriesOf(window).map((values, i) => {
				const newest = values.findLastIndex(isNumber);
				const old = newest < values.length - 1 - NEWEST_STEPS;
				const value = cursor === null && old ? null : values[cursor ?? newest];
				readings[i].update(value);
				const name = chart.lines[i].name ?? "";
				return `${chart.label} ${name} ${chart.format(value)}`;
			});
		},
	};
}

/** Creates the list of the marks in words, which opens below the charts. */
function createMarkList() {
	const list = h("ol", { class: "mark-list" });
	const summary = h("summary");
	const element = h(
		"details",
		{ class: "mark-box", hidden: true },
		summary,
		list,
	);
	const items = keyedList(
		list,
		/** @param {Mark} mark */
		(mark, index) =>
			`${mark.at_ms} ${mark.kind} ${mark.instance} ${mark.text} ${index}`,
		(mark) => {
			const title = formatExactTime(mark.at_ms);
			const time = h("span", { class: "muted", title });
			return {
				element: h("li", null, time, h("span", { text: markText(mark) })),
				update: () => setText(time, formatTime(mark.at_ms)),
			};
		},
	);
	return {
		element,
		/** @param {Mark[]} marks */
		update(marks) {
			const count = plural(marks.length, "mark");
			setText(summary, `${count}: starts, assignments, savepoints, failures`);
			items.update(marks.slice(0, MAX_MARKS));
			element.hidden = marks.length === 0;
		},
	};
}

/**
 * Places a time on the charts. At an end it stands beside its line instead of below it, or it would be cut off.
 * @param {HTMLElement} node
 * @param {HTMLElement} overlay
 * @param {number} percent
 * @param {number} halfWidth
 */
function placeTime(node, overlay, percent, halfWidth) {
	const x = (percent * overlay.clientWidth) / 100;
	node.style.left = `${percent}%`;
	node.classList.toggle("at-start", x < halfWidth);
	node.classList.toggle("at-end", overlay.clientWidth - x < halfWidth);
}

/** Creates the times of the axis, with a line through all charts each. */
function createTicks() {
	const element = h("div", { class: "chart-ticks", "aria-hidden": "true" });
	const ticks = keyedList(
		element,
		/** @param {{ at: number, percent: number, overlay: HTMLElement }} tick */
		({ at }) => at,
		({ at }) => {
			const label = h("span", { text: formatClock(at).slice(0, 5) });
			const tick = h("span", { class: "chart-tick" }, label);
			return {
				element: tick,
				/** @param {{ percent: number, overlay: HTMLElement }} values */
				update: ({ percent, overlay }) =>
					placeTime(tick, overlay, percent, TICK_HALF_WIDTH),
			};
		},
	);
	return {
		element,
		/**
		 * @param {ChartWindow} window
		 * @param {HTMLElement} overlay
		 */
		draw(window, overlay) {
			const times = tickTimes(window, overlay.clientWidth < 560 ? 4 : 7);
			ticks.update(
				times.map((at) => ({ at, percent: percentAt(window, at), overlay })),
			);
		},
	};
}

/** Creates the lines of the marks. */
function createMarkLines() {
	const element = h("div", { class: "chart-marks", "aria-hidden": "true" });
	const lines = keyedList(
		element,
		/** @param {{ at: number, percent: number, marks: Mark[] }} group */
		({ at }) => at,
		() => {
			const line = h("span", { class: "chart-mark" });
			return {
				element: line,
				/** @param {{ percent: number, marks: Mark[] }} group */
				update({ percent, marks }) {
					line.style.left = `${percent}%`;
					const fault = marks.some(({ kind }) => kind === "checkpoint_failed");
					line.classList.toggle("fault", fault);
				},
			};
		},
	);
	return {
		element,
		/** @param {ChartWindow} window */
		draw: (window) =>
			lines.update(
				window.markGroups.map(({ at, marks }) => ({
					at,
					percent: percentAt(window, at),
					marks,
				})),
			),
	};
}

/** Creates the layer over all charts: ticks, marks, and the line at the cursor. */
function createOverlay() {
	const ticks = createTicks();
	const marks = createMarkLines();
	const hairTime = h("span");
	const hair = h("div", { class: "chart-hair", hidden: true }, hairTime);
	const element = h(
		"div",
		{
			class: "chart-overlay",
			tabindex: "0",
			role: "slider",
			"aria-label": "Moment of the charts",
			"aria-valuemin": "0",
			"aria-valuemax": "0",
			"aria-valuenow": "0",
			"aria-valuetext": "now",
		},
		ticks.element,
		marks.element,
		hair,
	);
	return {
		element,
		/** @param {ChartWindow} window */
		draw(window) {
			ticks.draw(window, element);
			marks.draw(window);
			setAttr(element, "aria-valuemax", window.length - 1);
		},
		/**
		 * @param {ChartWindow} window
		 * @param {number | null} cursor
		 */
		moveHair(window, cursor) {
			hair.hidden = cursor === null;
			if (cursor === null) return;
			const percent = (cursor / (window.length - 1)) * 100;
			placeTime(hair, element, percent, HAIR_HALF_WIDTH);
			setText(hairTime, formatClock(timeAt(window, cursor)));
		},
	};
}

/** Charts with a common cursor, which pointer and arrow keys move. */
export class TimeCharts {
	/** @type {ChartWindow | null} */
	#window = null;
	/** The index of the value at the cursor; without a cursor the newest values are shown. @type {number | null} */
	#cursor = null;
	#cursorFollowsPointer = false;
	#charts;
	#series;
	#overlay = createOverlay();
	#markList = createMarkList();
	#heading = h("h2");
	#moment = h("span", { class: "muted", "aria-hidden": "true" });

	/** @param {Chart[]} charts */
	constructor(charts) {
		this.#charts = charts.map(createChart);
		this.#series = charts.flatMap(({ lines }) =>
			lines.map(({ series }) => series),
		);
		this.element = h(
			"section",
			{ class: "section", "aria-label": "History" },
			h("div", { class: "section-head" }, this.#heading, this.#moment),
			h(
				"div",
				{ class: "charts" },
				this.#charts.map(({ elements }) => elements),
				this.#overlay.element,
			),
			this.#markList.element,
		);
		this.#listen(this.#overlay.element);
	}

	/**
	 * @param {History} history
	 * @param {Mark[]} marks
	 */
	update(history, marks) {
		const window = chartWindow(history, marks, this.#series);
		// A cursor set by keyboard keeps its time, one set by pointer its place.
		if (this.#window && this.#cursor !== null && !this.#cursorFollowsPointer) {
			const at = timeAt(this.#window, this.#cursor);
			this.#cursor = Math.round((at - window.from) / window.step);
		}
		this.#window = window;
		for (const chart of this.#charts) chart.draw(window);
		const minutes = Math.round(((window.length - 1) * window.step) / 60_000);
		setText(
			this.#heading,
			minutes >= 59 ? "Last hour" : `Last ${minutes} minutes`,
		);
		this.#overlay.draw(window);
		this.#markList.update(window.marks);
		this.#moveCursor(this.#cursor);
	}

	/** @param {number | null} index */
	#moveCursor(index) {
		const window = this.#window;
		if (!window) return;
		const last = window.length - 1;
		const cursor = index === null ? null : Math.max(0, Math.min(last, index));
		this.#cursor = cursor;
		this.#overlay.moveHair(window, cursor);
		const values = this.#charts.flatMap((chart) => chart.read(window, cursor));
		const time = cursor === null ? null : formatTime(timeAt(window, cursor));
		const marks = cursor === null ? "" : marksNear(window, cursor);
		setText(
			this.#moment,
			time === null ? "" : `at ${time}${marks && ` · ${marks}`}`,
		);
		setAttr(this.#overlay.element, "aria-valuenow", cursor ?? last);
		setAttr(
			this.#overlay.element,
			"aria-valuetext",
			`${time ?? "now"}: ${values.join(", ")}${marks && `, ${marks}`}`,
		);
	}

	/** @param {HTMLElement} overlay */
	#listen(overlay) {
		/** @param {PointerEvent} event */
		const follow = (event) => {
			if (!this.#window) return;
			const { left, width } = overlay.getBoundingClientRect();
			const share = (event.clientX - left) / width;
			this.#cursorFollowsPointer = true;
			this.#moveCursor(Math.round(share * (this.#window.length - 1)));
		};
		overlay.addEventListener("pointermove", follow);
		overlay.addEventListener("pointerdown", follow);
		overlay.addEventListener("pointerleave", () => {
			if (!this.#cursorFollowsPointer) return;
			this.#cursorFollowsPointer = false;
			this.#moveCursor(null);
		});
		overlay.addEventListener("blur", () => this.#moveCursor(null));
		overlay.addEventListener("keydown", (event) => this.#onKey(event));
	}

	/** @param {KeyboardEvent} event */
	#onKey(event) {
		if (!this.#window) return;
		if (event.key === "Escape") this.#moveCursor(null);
		const last = this.#window.length - 1;
		const from = this.#cursor ?? last;
		const to = {
			ArrowLeft: from - 1,
			ArrowRight: from + 1,
			ArrowUp: from + 1,
			ArrowDown: from - 1,
			PageUp: from - 30,
			PageDown: from + 30,
			Home: 0,
			End: last,
		}[event.key];
		if (to === undefined) return;
		event.preventDefault();
		this.#moveCursor(to);
	}
}

/**
 * Returns the marks around the cursor in words.
 * @param {ChartWindow} window
 * @param {number} cursor
 */
function marksNear(window, cursor) {
	const reach = Math.max(
		window.step,
		((window.length - 1) * window.step) / 100,
	);
	return window.marks
		.filter((mark) => Math.abs(mark.at_ms - timeAt(window, cursor)) <= reach)
		.slice(0, 2)
		.map(markText)
		.join("; ");
}
