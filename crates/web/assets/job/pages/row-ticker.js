// Rows as they are written: a list that can be paused to read it.

import { h, keyedList, setText } from "/assets/shared/dom.js";
import { fetchJson, messageOf } from "/assets/shared/fetch.js";
import { formatExactTime, formatTime, shorten } from "/assets/shared/format.js";
import { actionButton, icon, sectionHead } from "/assets/shared/widgets.js";
import { formatFieldValue } from "./field-values.js";

/** @import { RowField, WrittenRow, WrittenRows } from "/types/job-api.js" */

const REFRESH_MS = 1000;
const MAX_ROWS = 24;
const NO_ROWS =
	"This instance has not written a row yet. Rows come when a window closes.";

/**
 * @param {string | undefined} user
 * @param {string} redisKey
 */
const userOrKey = (user, redisKey) =>
	user === undefined
		? h("span", { class: "mono", text: shorten(redisKey), title: redisKey })
		: h("a", {
				href: `/features/${encodeURIComponent(user)}`,
				"data-page": true,
				class: "mono",
				text: shorten(user, 24),
				title: user,
			});

/** @param {RowField} field */
const fieldText = ([name, value]) => [
	h(
		"span",
		{ class: "nowrap" },
		h("span", { class: "muted", text: `${shorten(name)} ` }),
		h("span", { text: formatFieldValue(value), title: value }),
	),
	" ",
];

/**
 * Creates the line of a row.
 * @param {WrittenRow} row
 * @param {string} keyField the field that holds the user
 */
function createRowLine(row, keyField) {
	const user = row.fields.find(([name]) => name === keyField)?.[1];
	const values = row.fields.filter(([name]) => name !== keyField);
	return h(
		"li",
		null,
		h("time", {
			class: "muted",
			text: formatTime(row.at_ms),
			title: formatExactTime(row.at_ms),
		}),
		userOrKey(user, row.redis_key),
		h("span", {
			class: "muted ticker-view",
			text: row.feature_view,
			title: row.redis_key,
		}),
		h("span", { class: "ticker-fields" }, values.map(fieldText)),
	);
}

/**
 * Gives each row a key; the same row written twice gets two keys.
 * @param {WrittenRow[]} rows
 */
function identifyRows(rows) {
	/** @type {Map<string, number>} */
	const counts = new Map();
	return rows.map((row) => {
		const values = row.fields.map(([, value]) => value).join(" ");
		const id = `${row.at_ms} ${row.redis_key} ${values}`;
		const count = (counts.get(id) ?? 0) + 1;
		counts.set(id, count);
		return { row, key: `${id} ${count}` };
	});
}

/** The list. It requests the newest rows until it is closed. */
export class RowTicker {
	/** The field that holds the user. */
	keyField = "user_id";
	#paused = false;
	#closed = false;
	/** @type {number | undefined} */
	#timer;
	#list = h("ol", { class: "ticker" });
	#lines = keyedList(
		this.#list,
		/** @param {ReturnType<typeof identifyRows>[number]} item */
		({ key }) => key,
		({ row }) => ({ element: createRowLine(row, this.keyField) }),
	);
	#note = h("p", { class: "muted", text: NO_ROWS });
	#toggle = actionButton(
		"",
		() => this.#setPaused(!this.#paused),
		"button small",
	);
	element = h(
		"section",
		{ class: "section", "aria-label": "Rows as they are written" },
		sectionHead(
			"Rows as they are written",
			h("span", {
				class: "muted tiny",
				text: "by this instance, newest first",
			}),
			h("span", { class: "end" }, this.#toggle),
		),
		this.#note,
		this.#list,
	);

	constructor() {
		document.addEventListener("visibilitychange", this.#refresh);
		this.#setPaused(false);
	}

	close() {
		this.#closed = true;
		clearTimeout(this.#timer);
		document.removeEventListener("visibilitychange", this.#refresh);
	}

	#refresh = async () => {
		clearTimeout(this.#timer);
		if (this.#closed || this.#paused || document.hidden) return;
		try {
			/** @type {WrittenRows} */
			const { rows } = await fetchJson(`/api/rows?limit=${MAX_ROWS}`);
			if (this.#closed || this.#paused) return;
			this.#lines.update(identifyRows(rows).slice(0, MAX_ROWS));
			this.#note.hidden = rows.length > 0;
			setText(this.#note, NO_ROWS);
		} catch (fault) {
			if (this.#list.children.length === 0)
				setText(this.#note, messageOf(fault));
		}
		clearTimeout(this.#timer);
		if (!this.#closed) this.#timer = setTimeout(this.#refresh, REFRESH_MS);
	};

	/** @param {boolean} paused */
	#setPaused(paused) {
		this.#paused = paused;
		this.#toggle.replaceChildren(
			icon(paused ? "play" : "pause"),
			paused ? "Continue" : "Pause",
		);
		this.#refresh();
	}
}
