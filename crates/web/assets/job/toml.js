// The pipeline file with line numbers and light highlighting: comments, sections, keys, text, numbers.

import { h } from "/assets/shared/dom.js";

const TOKEN =
	/(#.*$)|("""|'''|"(?:[^"\\]|\\.)*"|'[^']*')|([A-Za-z0-9_.-]+(?=\s*=))|(\btrue\b|\bfalse\b|[+-]?\b\d[\d_.:TZ+-]*\b)/g;
/** The kinds of the groups of {@link TOKEN}. */
const KINDS = ["comment", "text", "key", "value"];

/**
 * @param {string} line
 * @returns {(string | HTMLElement)[]}
 */
function highlight(line) {
	const section = /^\s*\[\[?[^\]]*\]?\]?/.exec(line)?.[0] ?? "";
	const parts = section
		? [h("span", { class: "toml-section", text: section })]
		: [];
	const rest = line.slice(section.length);
	/** @type {(string | HTMLElement)[]} */
	const tokens = [];
	let end = 0;
	for (const match of rest.matchAll(TOKEN)) {
		if (match.index > end) tokens.push(rest.slice(end, match.index));
		const kind = KINDS[match.slice(1).findIndex(Boolean)];
		tokens.push(h("span", { class: `toml-${kind}`, text: match[0] }));
		end = match.index + match[0].length;
	}
	return [...parts, ...tokens, rest.slice(end)];
}

/**
 * Creates the list of numbered lines.
 * @param {string} text
 */
export function tomlLines(text) {
	const lines = text.replace(/\n$/, "").split("\n");
	return h(
		"ol",
		{ class: "toml" },
		lines.map((line) => h("li", null, h("code", null, highlight(line), "\n"))),
	);
}
