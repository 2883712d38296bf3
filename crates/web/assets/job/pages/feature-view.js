// One feature view on the Features page: its counts, and a user's rows as cards; sessions also on a time line.

import { h, keyedList, setAttr, setText } from "/assets/shared/dom.js";
import {
	formatCount,
	formatDuration,
	formatEventZoneTime,
	formatExact,
	formatSetting,
	formatTime,
	isNumber,
} from "/assets/shared/format.js";
import { parseNumber } from "./field-values.js";
import { createRowCard } from "./row-card.js";

/** @import { CurrentRow, Features, FeatureView, FeatureViewPlan } from "/types/job-api.js" */
/** @import { FieldHistory } from "./field-values.js" */
/** @import { CardValues, ViewRow } from "./row-card.js" */

const MAX_CARDS = 60;
/** @type {Record<string, number>} */
const UNIT_MS = {
	milliseconds: 1,
	seconds: 1000,
	minutes: 60_000,
	hours: 3_600_000,
};

/**
 * Returns the time of a session's last event. Its row must hold the duration, and the plan its unit.
 * @param {CurrentRow} row
 * @param {FeatureViewPlan | undefined} plan
 */
function sessionEnd(row, plan) {
	const { window_start_ms: start, window_end_ms: end } = row;
	if (isNumber(end)) return end;
	if (!isNumber(start)) return null;
	for (const { name, aggregate } of plan?.features ?? []) {
		const unit = /^duration in (\w+)/.exec(aggregate)?.[1] ?? "";
		const text = row.fields.find(([field]) => field === name)?.[1] ?? "";
		const value = parseNumber(text);
		if (UNIT_MS[unit] && value !== null) return start + value * UNIT_MS[unit];
	}
	return null;
}

/** @typedef {{ row: ViewRow, from: number, length: number }} TimelineItem */

/**
 * Creates the bar of a session.
 * @param {(redisKey: string) => void} choose
 * @param {string} redisKey
 */
function createTimelineBar(choose, redisKey) {
	const button = h("button", {
		type: "button",
		on: { click: () => choose(redisKey) },
	});
	const element = h("li", null, button);
	return {
		element,
		/** @param {TimelineItem} item */
		update({ row: { window_start_ms, end_ms }, from, length }) {
			const start = window_start_ms ?? from;
			const duration = (end_ms ?? start) - start;
			const left = ((start - from) / length) * 100;
			const width = (duration / length) * 100;
			element.style.left = `${Math.min(99, left)}%`;
			element.style.width = `${Math.max(0, Math.min(100, width))}%`;
			const to = isNumber(end_ms)
				? ` to ${formatTime(end_ms)}, ${formatDuration(duration)}`
				: "";
			const words = `Session from ${formatTime(start)}${to}`;
			setAttr(button, "title", words);
			setAttr(button, "aria-label", words);
		},
	};
}

/**
 * Creates the time line: sessions as bars, from the start of the first one until now.
 * @param {(redisKey: string) => void} choose
 */
function createTimeline(choose) {
	const track = h("ol", { class: "timeline-track" });
	const start = h("span");
	const bars = keyedList(
		track,
		/** @param {TimelineItem} item */
		({ row }) => row.redis_key,
		({ row }) => createTimelineBar(choose, row.redis_key),
	);
	const element = h(
		"figure",
		{ class: "timeline" },
		track,
		h("figcaption", { class: "tiny muted" }, start, h("span", { text: "now" })),
	);
	return {
		element,
		/**
		 * @param {ViewRow[]} rows
		 * @param {number} now
		 */
		update(rows, now) {
			const starts = rows.map((row) => row.window_start_ms).filter(isNumber);
			element.hidden = starts.length === 0;
			if (element.hidden) return;
			const from = Math.min(...starts);
			const length = Math.max(60_000, now - from);
			setText(start, formatTime(from));
			bars.update(
				rows
					.filter((row) => isNumber(row.window_start_ms))
					.map((row) => ({ row, from, length })),
			);
		},
	};
}

/** Creates the cards of a user's rows; `choose` scrolls to one. */
function createCards() {
	const element = h("div", { class: "cards" });
	/** @type {Map<string, HTMLElement>} */
	const cards = new Map();
	const list = keyedList(
		element,
		/** @param {CardValues} values */
		({ row }) => row.redis_key,
		({ row }) => {
			const card = createRowCard();
			cards.set(row.redis_key, card.element);
			return card;
		},
	);
	/** @param {string} redisKey */
	function choose(redisKey) {
		for (const [key, card] of cards)
			card.classList.toggle("chosen", key === redisKey);
		const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
		cards.get(redisKey)?.scrollIntoView({
			block: "nearest",
			behavior: still ? "auto" : "smooth",
		});
	}
	return {
		element,
		choose,
		/** @param {CardValues[]} values */
		update(values) {
			const visible = values.slice(0, MAX_CARDS);
			list.update(visible);
			const keys = new Set(visible.map(({ row }) => row.redis_key));
			for (const key of cards.keys()) if (!keys.has(key)) cards.delete(key);
		},
	};
}

/** Creates the head of the section: name, window, counts. */
function createViewHead() {
	const name = h("h2");
	const window = h("span", { class: "muted" });
	const counts = h("span", { class: "muted tiny end view-counts" });
	return {
		element: h("div", { class: "section-head" }, name, window, counts),
		/** @param {FeatureView} view */
		update(view) {
			const { entities, rows, rows_per_s, late_events, late_after_idle } = view;
			setText(name, view.name);
			setText(window, view.window);
			setText(
				counts,
				`${formatCount(entities)} users · ${formatCount(rows)} rows · ${formatCount(rows_per_s)}/s · ${formatCount(late_events)} late`,
			);
			setAttr(
				counts,
				"title",
				`${formatExact(entities, "users with state")}\n${formatExact(rows, "rows since the start")}\n${formatExact(late_events, "late events since the start")}\n${formatExact(late_after_idle, "of them late only because their partition was idle")}`,
			);
		},
	};
}

/**
 * Returns which features lack events in windows before which time, or an empty text.
 * @param {FeatureView} view
 */
function describeIncomplete({ incomplete }) {
	const features = incomplete.map(
		({ feature, complete_from_ms: from }) =>
			`${feature} before ${formatEventZoneTime(from) ?? formatTime(from)}`,
	);
	return features.length
		? `Windows that start earlier may lack events: ${features.join(", ")}.`
		: "";
}

/**
 * Returns why the view has no row of the user.
 * @param {FeatureView} view
 * @param {boolean} searched
 */
function describeNoRow({ ttl_ms }, searched) {
	if (!searched) return "No row found yet.";
	const expiry = ttl_ms
		? `, and expires ${formatSetting(ttl_ms)} after its last write`
		: "";
	return `No row. One comes when a window of this view closes by event time${expiry}.`;
}

/**
 * @typedef {object} ViewValues
 * @property {FeatureView} view
 * @property {Features} features
 * @property {FeatureViewPlan | undefined} plan
 */

/**
 * Creates the section of a view.
 * @param {string} user empty: only the head is shown
 * @param {FieldHistory} history
 */
export function createFeatureViewSection(user, history) {
	const head = createViewHead();
	const cards = createCards();
	const timeline = createTimeline(cards.choose);
	const incomplete = h("p", { class: "muted tiny" });
	const none = h("p", { class: "muted view-none" });
	const element = h(
		"section",
		{ class: "section view" },
		head.element,
		incomplete,
		timeline.element,
		cards.element,
		none,
	);
	return {
		element,
		/** @param {ViewValues} values */
		update({ view, features, plan }) {
			const { now_ms: now, key_field: keyField } = features;
			head.update(view);
			const incompleteText = describeIncomplete(view);
			setText(incomplete, incompleteText);
			incomplete.hidden = incompleteText === "";
			setAttr(element, "aria-label", view.name);
			timeline.element.hidden = true;
			none.hidden = true;
			if (!user) return;
			history.addRows(view, now);
			// The newest window is the most interesting one, so it comes first.
			const rows = view.current.toReversed().map((row) => ({
				...row,
				end_ms: view.session ? sessionEnd(row, plan) : row.window_end_ms,
			}));
			if (view.session) timeline.update(rows, now);
			cards.update(
				rows.map((row) => ({
					row,
					now,
					ttlMs: view.ttl_ms,
					keyField,
					history,
				})),
			);
			none.hidden = rows.length > 0;
			setText(none, describeNoRow(view, features.search.done));
		},
	};
}
