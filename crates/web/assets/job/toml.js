// The pipeline file with line numbers and light highlighting: comments, sections, keys, text, numbers.

import { h } from "/assets/shared/dom.js";

const TOKEN =
	/(#.*$)|("""|'''|"(?:[^"\\]|\\.)*"|'[^']*')|([A-Za-z0-9_.-]+(?=\s*=))|(\btrue\b|\bfalse\b|[+-]?\b\d[\d_.:TZ+-]*\b)/g;

function pieces(line) {
	if (/^\s*\[/.test(line)) {
		const end = line.indexOf("]", line.indexOf("["));
		const close =
			end < 0 ? line.length : line.startsWith("[[") ? end + 2 : end + 1;
		return [
			h("span", { class: "toml-section", text: line.slice(0, close) }),
			...pieces(` ${line.slice(close)}`.slice(1) || ""),
		];
	}
	const found = [];
	let at = 0;
	for (const match of line.matchAll(TOKEN)) {
		if (match.index > at) found.push(line.slice(at, match.index));
		const kind = match[1]
			? "comment"
			: match[2]
				? "text"
				: match[3]
					? "key"
					: "value";
		found.push(h("span", { class: `toml-${kind}`, text: match[0] }));
		at = match.index + match[0].length;
	}
	if (at < line.length) found.push(line.slice(at));
	return found;
}

/** The file as a list of numbered lines. */
export function tomlLines(text) {
	const lines = text.replace(/\n$/, "").split("\n");
	return h(
		"ol",
		{ class: "toml" },
		lines.map((line) => h("li", null, h("code", null, pieces(line), "\n"))),
	);
}
