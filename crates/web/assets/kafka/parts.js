// Parts that several pages show.

import { h, setAttr, setLevel, setText } from "/assets/shared/dom.js";
import { createFigure, icon } from "/assets/shared/widgets.js";

/** @import { Child, ChipLevel } from "/types/components.js" */
/** @import { GroupSummary, KafkaRecord } from "/types/kafka-api.js" */

/** @param {string} topic */
export const topicPath = (topic) => `/topics/${encodeURIComponent(topic)}`;

/** @param {string} topic */
export const messagesPath = (topic, query = "") =>
	`${topicPath(topic)}/messages${query && `?${query}`}`;

/** @param {string} group */
export const groupPath = (group) => `/groups/${encodeURIComponent(group)}`;

/** @param {Pick<KafkaRecord, "partition" | "offset">} record */
export const recordQuery = ({ partition, offset }) =>
	`from=offset:${offset}&partition=${partition}`;

/**
 * Creates a row of headline figures.
 * @template {string} Id
 * @param {string} label
 * @param {Record<Id, string>} labels of the figures, by id
 */
export function createFigures(label, labels) {
	/** @type {Map<string, ReturnType<typeof createFigure>>} */
	const figures = new Map();
	for (const [id, text] of Object.entries(labels))
		figures.set(id, createFigure(String(text)));
	return {
		element: h(
			"div",
			{ class: "figures compact", role: "group", "aria-label": label },
			[...figures.values()].map(({ element }) => element),
		),
		/**
		 * @param {Id} id
		 * @param {string} value
		 * @param {string} [note]
		 * @param {string | null} [title]
		 * @param {ChipLevel | null} [level]
		 */
		set(id, value, note = "\u00a0", title = null, level = null) {
			const figure = figures.get(id);
			if (!figure) return;
			figure.update(value, note, title);
			setLevel(figure.note, level);
			figure.note.classList.toggle("leveled", level !== null);
		},
	};
}

/**
 * Fills a cell with a chip: a state in one word, with its icon.
 * @param {HTMLTableCellElement} cell
 * @param {ChipLevel} level
 * @param {string} word
 * @param {string} [title]
 */
export function fillChip(cell, level, word, title) {
	if (cell.dataset.level !== level) {
		cell.dataset.level = level;
		cell.replaceChildren(
			h("span", { class: `chip level-${level}` }, icon(level), h("span")),
		);
	}
	const text = cell.querySelector(".chip > span");
	if (text) setText(text, word);
	setAttr(cell, "title", title);
}

/** @type {Record<string, { level: ChipLevel, word: string }>} */
const GROUP_STATES = {
	stable: { level: "well", word: "stable" },
	empty: { level: "plain", word: "empty" },
	dead: { level: "act", word: "dead" },
	preparingrebalance: { level: "soon", word: "rebalancing" },
	completingrebalance: { level: "soon", word: "rebalancing" },
	assigning: { level: "soon", word: "assigning" },
	reconciling: { level: "soon", word: "reconciling" },
	notready: { level: "soon", word: "notready" },
};

/**
 * Returns a group's state as a word and a level.
 * @param {GroupSummary} group
 */
export function groupState({ state }) {
	const id = String(state ?? "").toLowerCase();
	return GROUP_STATES[id] ?? { level: "plain", word: id || "unknown" };
}

/**
 * Creates a section with a heading.
 * @param {string} title
 * @param {Child[]} children
 */
export const createSection = (title, ...children) =>
	h(
		"section",
		{ class: "section" },
		h(
			"div",
			{ class: "section-head" },
			h("h2", { text: title }),
			h("div", { class: "end" }),
		),
		children,
	);

/**
 * Creates the links to the pages above this one.
 * @param {[text: string, href: string][]} links
 */
export const breadcrumbs = (...links) =>
	h(
		"nav",
		{ class: "crumbs tiny", "aria-label": "Where this is" },
		links.map(([text, href], index) => [
			index > 0 ? h("span", { "aria-hidden": "true", text: "/" }) : null,
			h("a", { href, "data-page": true, text }),
		]),
	);
