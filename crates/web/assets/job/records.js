// A record's bytes for people: as pretty JSON where it is JSON, and as they came.

import { copy, h, icon } from "/assets/shared/dom.js";
import { bytes, exact } from "/assets/shared/format.js";

const LARGEST = 64 * 1024;

/** JSON with indents, without losing digits that a JavaScript number cannot hold; null where it is none. */
export function pretty(text) {
	try {
		const value = JSON.parse(text);
		if (value === null || typeof value !== "object") return null;
	} catch {
		return null;
	}
	let out = "";
	let depth = 0;
	const tokens =
		text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
	const line = () => `\n${"  ".repeat(depth)}`;
	tokens.forEach((token, index) => {
		if (token === "{" || token === "[") {
			depth += 1;
			out +=
				tokens[index + 1] === "}" || tokens[index + 1] === "]"
					? token
					: token + line();
		} else if (token === "}" || token === "]") {
			depth -= 1;
			out +=
				tokens[index - 1] === "{" || tokens[index - 1] === "["
					? token
					: line() + token;
		} else if (token === ",") out += token + line();
		else out += token === ":" ? ": " : token;
	});
	return out;
}

/** A panel for a `Bytes` of a report. */
export function record(of, label = "Record") {
	if (!of)
		return h("p", {
			class: "muted",
			text: `${label}: Kafka's null value, no bytes at all.`,
		});
	const text = of.text ?? "";
	const whole = text.length <= LARGEST ? text : `${text.slice(0, LARGEST)}…`;
	const formatted = pretty(whole);
	const code = h("pre", {
		class: "code wrap",
		tabindex: "0",
		"aria-label": label,
	});
	const kept = new TextEncoder().encode(text).length;
	const notes = [
		h("span", { title: exact(of.bytes, "bytes"), text: bytes(of.bytes) }),
		of.utf8 === false
			? "not UTF-8: what cannot be shown is replaced by �"
			: null,
		of.utf8 !== false && kept < of.bytes
			? `only the first ${bytes(kept)} are kept here`
			: null,
	].filter(Boolean);
	const show = (raw) => {
		code.textContent =
			raw || formatted === null ? whole || "(empty)" : formatted;
		toggle?.setAttribute("aria-pressed", String(raw));
		if (toggle) toggle.textContent = raw ? "Show formatted" : "Show as sent";
	};
	let raw = formatted === null;
	const toggle =
		formatted === null
			? null
			: h("button", {
					class: "button small",
					type: "button",
					on: { click: () => show((raw = !raw)) },
				});
	show(raw);
	return h(
		"div",
		{ class: "record" },
		h(
			"div",
			{ class: "record-head" },
			h("h3", { text: label }),
			h(
				"span",
				{ class: "muted tiny" },
				notes.flatMap((note, index) => (index ? [" · ", note] : [note])),
			),
			h(
				"span",
				{ class: "end" },
				toggle,
				h(
					"button",
					{
						class: "button small",
						type: "button",
						on: { click: () => copy(text) },
					},
					icon("copy"),
					"Copy",
				),
			),
		),
		code,
	);
}
