// A row of Redis as a card: its fields, its age, and how long it is kept.

import {
	h,
	keyedList,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	formatAge,
	formatDuration,
	formatEventZoneTime,
	formatExact,
	formatExactTime,
	formatTime,
	isNumber,
	joinParts,
	shorten,
} from "/assets/shared/format.js";
import { copyText } from "/assets/shared/widgets.js";
import { createSparkline } from "../sparkline.js";
import { formatFieldValue, parseNumber } from "./field-values.js";

/** @import { CurrentRow, RowField } from "/types/job-api.js" */
/** @import { FieldHistory } from "./field-values.js" */

/** @typedef {CurrentRow & { end_ms: number | null }} ViewRow `end_ms`: the end of the window, where it is known */

/**
 * @typedef {object} CardValues
 * @property {ViewRow} row
 * @property {number} now
 * @property {number | null} ttlMs the time for which the view keeps a row
 * @property {string} keyField the field that holds the user
 * @property {FieldHistory} history
 */

/** Creates the line of a field: name, course, value. */
function createFieldLine() {
	const name = h("dt");
	const spark = createSparkline({ fromZero: false });
	let text = "";
	const value = h("span", {
		class: "field-value",
		on: { click: () => copyText(text) },
	});
	return {
		element: h(
			"div",
			{ class: "field-line" },
			name,
			h("dd", null, spark.element, value),
		),
		/** @param {{ field: RowField, samples: number[] }} values */
		update({ field, samples }) {
			text = field[1];
			setText(name, shorten(field[0], 40));
			setAttr(name, "title", field[0]);
			setText(value, text === "" ? "(empty)" : formatFieldValue(text));
			setAttr(value, "title", `${text}\nclick to copy`);
			value.classList.toggle("words", parseNumber(text) === null);
			spark.update(samples);
			setAttr(spark.element, "hidden", samples.length < 2);
		},
	};
}

/**
 * Returns the window of a row beside its start.
 * @param {ViewRow} row
 */
function describeWindowEnd({ window_start_ms: start, end_ms: end }) {
	if (!isNumber(start)) return "the newest window that closed";
	const to = isNumber(end)
		? `to ${formatTime(end)}, ${formatDuration(end - start)}`
		: null;
	return joinParts(to, formatEventZoneTime(start));
}

/** Creates the head of a card: the window. */
function createCardHead() {
	const start = h("strong");
	const end = h("span", { class: "muted tiny" });
	return {
		element: h("div", { class: "card-head" }, start, end),
		/** @param {ViewRow} row */
		update(row) {
			const at = row.window_start_ms;
			const windowed = isNumber(at);
			setText(start, windowed ? formatTime(at) : "Now");
			setAttr(
				start,
				"title",
				windowed ? formatExactTime(at) : "the newest window that fired",
			);
			setText(end, describeWindowEnd(row));
		},
	};
}

/** Creates the foot of a card: age, time left, and the key in Redis. */
function createCardFoot() {
	const fill = h("span");
	const bar = h("div", { class: "bar" }, fill);
	const age = h("span");
	const left = h("span");
	let redisKey = "";
	const key = h("button", {
		class: "link-button mono muted tiny card-key",
		type: "button",
		on: { click: () => copyText(redisKey) },
	});
	/** @param {CardValues} values */
	function updateTimeLeft({ row: { ttl_left_ms: ttl }, ttlMs, now }) {
		const expires = isNumber(ttl);
		const share = expires && ttlMs ? Math.max(0, Math.min(1, ttl / ttlMs)) : 1;
		bar.hidden = !expires;
		fill.style.transform = `scaleX(${share})`;
		setLevel(bar, share < 0.1 && expires ? "soon" : "plain");
		setText(left, expires ? `${formatDuration(ttl)} left` : "never expires");
		setAttr(
			left,
			"title",
			expires
				? `${formatExact(ttl, "ms")}; expires at\n${formatExactTime(now + ttl)}`
				: null,
		);
	}
	return {
		element: h(
			"div",
			{ class: "card-foot" },
			bar,
			h("div", { class: "card-ages tiny muted" }, age, left),
			key,
		),
		/** @param {CardValues} values */
		update(values) {
			const { age_ms: ms, redis_key } = values.row;
			setText(age, isNumber(ms) ? `written ${formatAge(ms)}` : "");
			const writtenAt = isNumber(ms) ? formatExactTime(values.now - ms) : null;
			setAttr(age, "title", writtenAt);
			updateTimeLeft(values);
			redisKey = redis_key;
			setText(key, shorten(redisKey, 48));
			setAttr(key, "title", `${redisKey}\nclick to copy`);
		},
	};
}

/** Creates the card. */
export function createRowCard() {
	const head = createCardHead();
	const fields = h("dl", { class: "fields" });
	const fieldLines = keyedList(
		fields,
		/** @param {{ field: RowField, samples: number[] }} values */
		({ field: [name] }) => name,
		createFieldLine,
	);
	const otherType = h("p", { class: "muted", hidden: true });
	const foot = createCardFoot();
	const element = h(
		"article",
		{ class: "card" },
		head.element,
		fields,
		otherType,
		foot.element,
	);
	return {
		element,
		/** @param {CardValues} values */
		update(values) {
			const { row, keyField, history } = values;
			head.update(row);
			otherType.hidden = !row.other_type;
			setText(
				otherType,
				row.other_type
					? `Redis holds a ${row.other_type} at this key, not a row. Another program writes to it.`
					: "",
			);
			fieldLines.update(
				row.fields
					.filter(([name]) => name !== keyField)
					.map((field) => ({
						field,
						samples: history.valuesOf(row.redis_key, field[0]),
					})),
			);
			foot.update(values);
		},
	};
}
