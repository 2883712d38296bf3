// Small things that several pages show.

import { h, icon, setAttr, setLevel, setText } from "/assets/shared/dom.js";
import { bytes, count, exact } from "/assets/shared/format.js";

/** The paths of things, whatever their names are. */
export const topicPath = (topic) => `/topics/${encodeURIComponent(topic)}`;
export const messagesPath = (topic, query = "") =>
	`${topicPath(topic)}/messages${query && `?${query}`}`;
export const groupPath = (group) => `/groups/${encodeURIComponent(group)}`;

/** A row of headline figures: `[{ id, label }]`; `set(id, value, note, title, level)` fills one. */
export function figures(list, label) {
	const nodes = new Map(
		list.map(({ id, label: name }) => [
			id,
			h(
				"div",
				{ class: "figure" },
				h("div", { class: "figure-label", text: name }),
				h("div", { class: "figure-value", text: "–" }),
				h("div", { class: "figure-note", text: "\u00a0" }),
			),
		]),
	);
	const element = h(
		"div",
		{ class: "figures compact", role: "group", "aria-label": label },
		[...nodes.values()],
	);
	return {
		element,
		set(id, value, note, title, level) {
			const node = nodes.get(id);
			setText(node.children[1], value);
			setText(node.children[2], note ?? "\u00a0");
			setAttr(node.children[1], "title", title);
			setLevel(node.children[2], level ?? "");
			node.children[2].classList.toggle("leveled", Boolean(level));
		},
	};
}

/** A chip that says a state in one word, with its icon. */
export function chip(cell, level, word, title) {
	const kind = `${level}`;
	if (cell.dataset.level !== kind) {
		cell.dataset.level = kind;
		cell.replaceChildren(
			h("span", { class: `chip level-${level}` }, icon(level), h("span")),
		);
	}
	setText(cell.firstChild.lastChild, word);
	setAttr(cell, "title", title);
}

const GROUP_STATES = {
	stable: "well",
	empty: "plain",
	dead: "act",
	preparingrebalance: "soon",
	completingrebalance: "soon",
	assigning: "soon",
	reconciling: "soon",
	notready: "soon",
};
const GROUP_WORDS = {
	preparingrebalance: "rebalancing",
	completingrebalance: "rebalancing",
};

/** A group's state, as people say it. */
export function groupState(state) {
	const id = String(state ?? "").toLowerCase();
	return {
		level: GROUP_STATES[id] ?? "plain",
		word: GROUP_WORDS[id] ?? (id || "unknown"),
	};
}

/** Columns for numbers and sizes. */
export const countColumn = (id, label, of, title) => ({
	id,
	label,
	title,
	numeric: true,
	text: (row) => count(of(row)),
	value: of,
	exact: (row) => exact(of(row)),
	copy: (row) => of(row) ?? "",
});
export const bytesColumn = (id, label, of, title) => ({
	id,
	label,
	title,
	numeric: true,
	text: (row) => bytes(of(row)),
	value: of,
	exact: (row) => exact(of(row), "bytes"),
	copy: (row) => of(row) ?? "",
});
export const exactColumn = (id, label, of, title) => ({
	id,
	label,
	title,
	numeric: true,
	mono: false,
	text: (row) =>
		of(row) === null || of(row) === undefined ? "–" : exact(of(row)),
	value: of,
	copy: (row) => of(row) ?? "",
});

/** A section with a heading and things at its end. */
export function section(title, ...rest) {
	const heading = h("h2", { text: title });
	const end = h("div", { class: "end" });
	return {
		element: h(
			"section",
			{ class: "section" },
			h("div", { class: "section-head" }, heading, end),
			rest,
		),
		heading,
		end,
	};
}

/** Where we are: links to what is above, then this. */
export function crumbs(...parts) {
	return h(
		"nav",
		{ class: "crumbs tiny", "aria-label": "Where this is" },
		parts.map(([text, href], nth) => [
			nth > 0 ? h("span", { "aria-hidden": "true", text: "/" }) : null,
			h("a", { href, "data-page": true, text }),
		]),
	);
}
