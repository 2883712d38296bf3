// Line charts by hand: sparklines, and charts one under the other that share a time axis and a cursor.

import { h, keyed, s, setAttr, setText } from "/assets/shared/dom.js";
import { clock, time, timeExact } from "/assets/shared/format.js";

const known = (value) => typeof value === "number" && Number.isFinite(value);
const round = (value) => Math.round(value * 100) / 100;

/** The path of a series in a box of `width` × `height`; gaps where nothing is known. */
function path(values, width, height, most, least = 0) {
	const step = values.length > 1 ? width / (values.length - 1) : 0;
	const range = most - least || 1;
	let d = "";
	let drawing = false;
	values.forEach((value, index) => {
		if (!known(value)) {
			drawing = false;
			return;
		}
		const [x, y] = [
			round(index * step),
			round(height - ((value - least) / range) * height),
		];
		// A value alone between gaps is a dot: a line of no length with round ends.
		d += drawing ? `L${x} ${y}` : `M${x} ${y}h0`;
		drawing = true;
	});
	return d;
}

/** A word-sized line: `{ element, update(values) }`. It shows the course, not the height: small changes stay small, but visible. */
export function sparkline({ most = 60, fewest = 2, fromZero = true } = {}) {
	const line = s("path", {
		class: "spark-line",
		"vector-effect": "non-scaling-stroke",
	});
	const end = s("path", {
		class: "spark-end",
		"vector-effect": "non-scaling-stroke",
	});
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
	return {
		element,
		update(all) {
			const values = all.slice(-most);
			const seen = values.filter(known);
			element.style.visibility = seen.length >= fewest ? "visible" : "hidden";
			if (seen.length < fewest) return;
			const top = Math.max(...seen);
			const least = Math.min(...seen);
			const bottom = fromZero ? Math.min(least, top * 0.75) : least;
			setAttr(
				line,
				"d",
				path(values, 100, 20, top === bottom ? top + 1 : top, bottom),
			);
			const last = values.findLastIndex(known);
			setAttr(
				end,
				"d",
				path(
					values.map((value, index) => (index === last ? value : null)),
					100,
					20,
					top === bottom ? top + 1 : top,
					bottom,
				),
			);
		},
	};
}

/** The next number up that people like on an axis. */
function ceiling(value) {
	if (!(value > 0)) return 1;
	const power = 10 ** Math.floor(Math.log10(value));
	return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]
		.map((step) => step * power)
		.find((step) => step >= value * 0.999);
}

const TICKS_MS = [60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000];
/** Half of what a time under the charts takes, in pixels: "10:41", and "10:41:07" under the cursor. */
const TICK_ROOM = 20;
const HAIR_ROOM = 34;
const SHORTEST_MS = 600_000;
const MARK_WORDS = {
	started: "started",
	assigned: "partitions assigned",
	revoked: "partitions revoked",
	savepoint: "savepoint",
	checkpoint_failed: "checkpoint failed",
};

/** The history with nothing known before it, so that all series have the same length and at least `least` moments. */
function padded(history, least) {
	const series = Object.entries(history).filter(([, values]) =>
		Array.isArray(values),
	);
	const longest = Math.max(least, ...series.map(([, values]) => values.length));
	const known = Math.max(0, ...series.map(([, values]) => values.length));
	return {
		...history,
		from_ms: history.from_ms - (longest - known) * (history.step_ms || 10_000),
		...Object.fromEntries(
			series.map(([name, values]) => [
				name,
				[...Array(longest - values.length).fill(null), ...values],
			]),
		),
	};
}

/**
 * `charts`: `[{ label, lines: [{ series, name, dashed }], format, exact }]`, where `series` names one in the history.
 * Returns `{ element, update(history, marks) }`.
 */
export function timeCharts(charts) {
	let shown = null; // what is drawn: { from, step, length, history, marks }
	let cursor = null; // an index into it
	let following = false; // the cursor was put by pointer

	const rows = charts.map((chart) => {
		const values = chart.lines.map((line) => {
			const value = h("span", { class: "chart-value" });
			const name = line.name
				? h("span", {
						class: `chart-key${line.dashed ? " dashed" : ""}`,
						text: line.name,
					})
				: null;
			return {
				value,
				node: h("span", { class: "chart-reading" }, name, value),
			};
		});
		const lines = chart.lines.map((line) =>
			s("path", {
				class: `chart-line${line.dashed ? " dashed" : ""}`,
				"vector-effect": "non-scaling-stroke",
			}),
		);
		const area =
			chart.lines.length === 1 ? s("path", { class: "chart-area" }) : null;
		const most = h("span", { class: "chart-most" });
		const label = h(
			"div",
			{ class: "chart-label" },
			h("span", { class: "muted tiny", text: chart.label }),
			h(
				"div",
				{ class: "chart-readings" },
				values.map((each) => each.node),
			),
		);
		const plot = h(
			"div",
			{ class: "chart-plot" },
			s(
				"svg",
				{
					viewBox: "0 0 1000 100",
					preserveAspectRatio: "none",
					"aria-hidden": "true",
				},
				area,
				lines,
			),
			most,
		);
		return { chart, values, lines, area, most, nodes: [label, plot] };
	});

	const ticks = h("div", { class: "chart-ticks", "aria-hidden": "true" });
	const markLines = h("div", { class: "chart-marks", "aria-hidden": "true" });
	const hair = h("div", { class: "chart-hair", hidden: true }, h("span"));
	const overlay = h(
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
		ticks,
		markLines,
		hair,
	);
	const grid = h(
		"div",
		{ class: "charts" },
		rows.map((row) => row.nodes),
		overlay,
	);
	const heading = h("h2");
	const moment = h("span", { class: "muted", "aria-hidden": "true" });
	const markList = h("ol", { class: "mark-list" });
	const markCount = h("summary");
	const markBox = h(
		"details",
		{ class: "mark-box", hidden: true },
		markCount,
		markList,
	);
	const element = h(
		"section",
		{ class: "section", "aria-label": "Lately" },
		h("div", { class: "section-head" }, heading, moment),
		grid,
		markBox,
	);

	const share = (at) =>
		((at - shown.from) / ((shown.length - 1) * shown.step)) * 100;
	const at = (index) => shown.from + index * shown.step;

	/** A time at an end of the charts stands beside its line instead of under it, or it would stick out. */
	function lean(node, percent, room) {
		const x = (percent * overlay.clientWidth) / 100;
		node.classList.toggle("at-start", x < room);
		node.classList.toggle("at-end", overlay.clientWidth - x < room);
	}

	function draw() {
		const { history, from, step, length, first } = shown;
		for (const row of rows) {
			const all = row.chart.lines.map((line) =>
				(history[line.series] ?? []).slice(first),
			);
			const top = ceiling(Math.max(0, ...all.flat().filter(known)));
			all.forEach((values, index) =>
				setAttr(row.lines[index], "d", path(values, 1000, 100, top)),
			);
			if (row.area) {
				const d = path(all[0], 1000, 100, top);
				const lastAt = all[0].findLastIndex(known);
				const firstAt = all[0].findIndex(known);
				const whole =
					lastAt > firstAt && all[0].slice(firstAt, lastAt + 1).every(known);
				const x = (index) => round((index * 1000) / (all[0].length - 1));
				setAttr(
					row.area,
					"d",
					whole ? `${d}L${x(lastAt)} 100L${x(firstAt)} 100Z` : null,
				);
			}
			setText(row.most, all.flat().some(known) ? row.chart.format(top) : "");
		}
		const minutes = Math.round(((length - 1) * step) / 60_000);
		setText(heading, minutes >= 59 ? "Last hour" : `Last ${minutes} minutes`);
		const narrow = grid.clientWidth < 560;
		const spacing =
			TICKS_MS.find((each) => (length * step) / each <= (narrow ? 4 : 7)) ??
			TICKS_MS.at(-1);
		const list = [];
		for (
			let tick = Math.ceil(from / spacing) * spacing;
			tick <= at(length - 1);
			tick += spacing
		)
			list.push(tick);
		keyed(
			ticks,
			list,
			(tick) => tick,
			() => h("span", { class: "chart-tick" }, h("span")),
			(node, tick) => {
				node.style.left = `${share(tick)}%`;
				lean(node, share(tick), TICK_ROOM);
				setText(node.firstChild, clock(tick).slice(0, 5));
			},
		);
		keyed(
			markLines,
			shown.groups,
			(group) => `${group.at}`,
			() => h("span", { class: "chart-mark" }),
			(node, group) => {
				node.style.left = `${share(group.at)}%`;
				node.classList.toggle(
					"fault",
					group.marks.some((mark) => mark.kind === "checkpoint_failed"),
				);
			},
		);
		setText(
			markCount,
			shown.marks.length === 1
				? "1 mark: when something happened to the job"
				: `${shown.marks.length} marks: when something happened to the job`,
		);
		keyed(
			markList,
			shown.marks.slice(0, 50),
			(mark, index) =>
				`${mark.at_ms} ${mark.kind} ${mark.instance} ${mark.text} ${index}`,
			() => h("li", null, h("span", { class: "muted" }), h("span")),
			(node, mark) => {
				setText(node.firstChild, time(mark.at_ms));
				setAttr(node.firstChild, "title", timeExact(mark.at_ms));
				setText(
					node.lastChild,
					mark.text || (MARK_WORDS[mark.kind] ?? mark.kind),
				);
			},
		);
		markBox.hidden = shown.marks.length === 0;
		setAttr(overlay, "aria-valuemax", length - 1);
	}

	function read() {
		if (!shown) return;
		const last = shown.length - 1;
		const index = cursor ?? last;
		const words = [];
		for (const row of rows) {
			row.chart.lines.forEach((line, i) => {
				const values = (shown.history[line.series] ?? []).slice(shown.first);
				const place = cursor === null ? values.findLastIndex(known) : index;
				const value =
					place < 0 || (cursor === null && place < last - 6)
						? null
						: values[place];
				setText(row.values[i].value, row.chart.format(value));
				setAttr(
					row.values[i].node,
					"title",
					`${row.chart.label}${line.name ? ` ${line.name}` : ""}: ${row.chart.exact(value)}`,
				);
				words.push(
					`${row.chart.label} ${line.name ?? ""} ${row.chart.format(value)}`,
				);
			});
		}
		hair.hidden = cursor === null;
		const near =
			cursor === null
				? []
				: shown.marks.filter(
						(mark) =>
							Math.abs(mark.at_ms - at(index)) <=
							Math.max(shown.step, (last * shown.step) / 100),
					);
		const marked = near
			.slice(0, 2)
			.map((mark) => mark.text || (MARK_WORDS[mark.kind] ?? mark.kind))
			.join("; ");
		if (cursor !== null) {
			hair.style.left = `${(index / last) * 100}%`;
			lean(hair, (index / last) * 100, HAIR_ROOM);
			setText(hair.firstChild, clock(at(index)));
		}
		setText(
			moment,
			cursor === null
				? ""
				: `at ${time(at(index))}${marked ? ` · ${marked}` : ""}`,
		);
		setAttr(overlay, "aria-valuenow", index);
		setAttr(
			overlay,
			"aria-valuetext",
			`${cursor === null ? "now" : time(at(index))}: ${words.join(", ")}${marked ? `, ${marked}` : ""}`,
		);
	}

	function put(index) {
		cursor =
			index === null || !shown
				? null
				: Math.max(0, Math.min(shown.length - 1, index));
		read();
	}

	const follow = (event) => {
		if (!shown) return;
		const box = overlay.getBoundingClientRect();
		following = true;
		put(
			Math.round(((event.clientX - box.left) / box.width) * (shown.length - 1)),
		);
	};
	overlay.addEventListener("pointermove", follow);
	overlay.addEventListener("pointerdown", follow);
	overlay.addEventListener(
		"pointerleave",
		() => following && ((following = false), put(null)),
	);
	overlay.addEventListener("blur", () => put(null));
	overlay.addEventListener("keydown", (event) => {
		if (!shown) return;
		const last = shown.length - 1;
		const here = cursor ?? last;
		const to = {
			ArrowLeft: here - 1,
			ArrowRight: here + 1,
			ArrowUp: here + 1,
			ArrowDown: here - 1,
			PageUp: here - 30,
			PageDown: here + 30,
			Home: 0,
			End: last,
		}[event.key];
		if (to !== undefined) {
			event.preventDefault();
			put(to);
		} else if (event.key === "Escape") put(null);
	});

	return {
		element,
		update(given, marks) {
			const step = given.step_ms || 10_000;
			const history = padded(given, Math.ceil(SHORTEST_MS / step) + 1);
			const count = history.records_per_s.length;
			// A job that is young fills the width with what there is, at least ten minutes.
			const firstKnown = Math.min(
				...charts.flatMap((chart) =>
					chart.lines.map((line) => {
						const index = (history[line.series] ?? []).findIndex(known);
						return index < 0 ? count : index;
					}),
				),
			);
			const first = Math.max(
				0,
				Math.min(firstKnown, count - Math.ceil(SHORTEST_MS / step) - 1),
			);
			const from = history.from_ms + first * step;
			const length = count - first;
			const inside = [...marks]
				.filter((mark) => mark.at_ms >= from)
				.sort((a, b) => b.at_ms - a.at_ms);
			const groups = [];
			for (const mark of [...inside].reverse()) {
				const last = groups.at(-1);
				if (last && mark.at_ms - last.at < (length * step) / 120)
					last.marks.push(mark);
				else
					groups.push({
						at: Math.min(mark.at_ms, from + (length - 1) * step),
						marks: [mark],
					});
			}
			if (shown && cursor !== null && !following)
				cursor = Math.round((at(cursor) - from) / step);
			shown = { from, step, length, first, history, marks: inside, groups };
			draw();
			put(cursor);
		},
	};
}
