// A record in a list: one line, which opens to everything that is known of it.

import { copy, h, icon, setText } from "/assets/shared/dom.js";
import {
	bytes,
	exact,
	plural,
	time,
	timeExact,
} from "/assets/shared/format.js";
import { fetchJson } from "/assets/shared/live.js";
import { brief, hex, indented, isJson } from "./bytes.js";
import { messagesPath } from "./parts.js";

const WHOLE_MAX = 8 << 20;

/** The JSON of one record alone, with as much of its value as there can be. */
export const wholeUrl = (topic, record) =>
	`/api/topics/${encodeURIComponent(topic)}/messages?from=offset:${record.offset}&partition=${record.partition}&limit=1&bytes=${WHOLE_MAX}`;

function clock(ms) {
	if (ms === null || ms === undefined) return "–";
	return `${time(ms)}.${String(((ms % 1000) + 1000) % 1000).padStart(3, "0")}`;
}

/** Makes the line. `topic` is for its links. */
export function recordLine(topic, record) {
	const body = h("div", { class: "entry-body" });
	const part = (shown, none) =>
		shown === null
			? h("span", { class: "tag", text: none })
			: brief(shown) === ""
				? h("span", { class: "tag", text: "empty" })
				: brief(shown);
	const line = h(
		"details",
		{ class: "entry record" },
		h(
			"summary",
			null,
			h("span", {
				class: "record-time",
				title: timeExact(record.timestamp_ms),
				text: clock(record.timestamp_ms),
			}),
			h(
				"span",
				{
					class: "record-place",
					title: `partition ${record.partition}, offset ${record.offset}`,
				},
				h("span", { class: "muted", text: `${record.partition}` }),
				h("span", { class: "record-colon muted", text: ":" }),
				`${record.offset}`,
			),
			h("span", { class: "record-key mono" }, part(record.key, "no key")),
			h("span", { class: "record-value mono" }, part(record.value, "null")),
			h("span", {
				class: "record-bytes muted",
				title: exact(record.bytes, "bytes"),
				text: bytes(record.bytes),
			}),
		),
		body,
	);
	// What is inside is built when somebody looks.
	line.addEventListener("toggle", () => {
		if (line.open && !body.firstChild) body.append(...inside(topic, record));
	});
	return line;
}

function inside(topic, record) {
	const url = `${messagesPath(topic)}?from=offset:${record.offset}&partition=${record.partition}`;
	return [
		h(
			"dl",
			{ class: "facts record-facts" },
			h("dt", { text: "Place" }),
			h(
				"dd",
				null,
				`partition ${record.partition}, offset ${record.offset} `,
				h("a", { href: url, "data-page": true, text: "what follows" }),
			),
			h("dt", { text: "Timestamp" }),
			h(
				"dd",
				{ title: timeExact(record.timestamp_ms) },
				`${clock(record.timestamp_ms)} `,
				h("span", {
					class: "muted",
					text:
						record.timestamp_by === "append"
							? "set by the broker"
							: "set by the producer",
				}),
			),
			h("dt", { text: "Size" }),
			h(
				"dd",
				null,
				`${exact(record.bytes, record.bytes === 1 ? "byte" : "bytes")}`,
			),
		),
		block("Key", record.key, "This record has no key."),
		block(
			"Value",
			record.value,
			"The value is null: a tombstone. In a compacted topic it deletes the key.",
			() => whole(topic, record),
		),
		headers(record),
	];
}

async function whole(topic, record) {
	const page = await fetchJson(wholeUrl(topic, record));
	const found = page.records.find(
		(one) => one.partition === record.partition && one.offset === record.offset,
	);
	if (!found) throw new Error("The record is no longer there.");
	return found.value;
}

function headers(record) {
	if (record.header_count === 0)
		return h("p", { class: "muted tiny record-none", text: "No headers." });
	const more = record.header_count - record.headers.length;
	return h(
		"div",
		{ class: "record-block" },
		h("h3", { text: `${plural(record.header_count, "header")}` }),
		h(
			"dl",
			{ class: "facts record-headers" },
			record.headers.map((header) => [
				h("dt", { class: "mono", text: header.name }),
				h(
					"dd",
					{ class: "mono" },
					header.value === null
						? h("span", { class: "tag", text: "null" })
						: brief(header.value, 1024),
					header.value && !header.value.whole
						? h("span", {
								class: "muted",
								text: ` … ${bytes(header.value.bytes)} in all`,
							})
						: null,
				),
			]),
		),
		more > 0
			? h("p", {
					class: "muted tiny",
					text: `and ${plural(more, "more header")}`,
				})
			: null,
	);
}

/** Bytes with a choice of how to show them. */
function block(name, shown, none, getWhole) {
	if (shown === null)
		return h(
			"div",
			{ class: "record-block" },
			h("h3", { text: name }),
			h("p", { class: "muted", text: none }),
		);
	let now = shown;
	const pre = h("pre", {
		class: "code wrap",
		tabindex: "0",
		"aria-label": name,
	});
	const forms = [];
	if (isJson(shown)) forms.push(["JSON", () => indented(now.text)]);
	if (shown.text !== undefined) forms.push(["Text", () => now.text]);
	forms.push(["Hex", () => hex(now)]);
	const buttons = forms.map(([label, form]) =>
		h(
			"button",
			{
				type: "button",
				class: "button small",
				"aria-pressed": "false",
				on: { click: () => choose(label, form) },
			},
			label,
		),
	);
	let form = forms[0][1];
	function choose(label, next) {
		form = next;
		buttons.forEach((button) =>
			button.setAttribute("aria-pressed", String(button.textContent === label)),
		);
		setText(pre, now.bytes === 0 ? "" : next());
		pre.classList.toggle("wrap", label !== "Hex");
	}
	const note = h("span", { class: "muted tiny" });
	const all = h(
		"button",
		{ type: "button", class: "button small", hidden: true },
		"Show whole",
	);
	function noted() {
		setText(
			note,
			now.bytes === 0
				? "empty"
				: now.whole
					? bytes(now.bytes)
					: `the first ${bytes((now.text ?? "").length || (now.base64 ?? "").length * 0.75)} of ${bytes(now.bytes)}`,
		);
		all.hidden = now.whole || !getWhole;
	}
	all.addEventListener("click", async () => {
		all.disabled = true;
		try {
			now = await getWhole();
			noted();
			setText(pre, form());
		} catch (fault) {
			setText(note, fault.message);
		}
		all.disabled = false;
	});
	choose(forms[0][0], form);
	noted();
	return h(
		"div",
		{ class: "record-block" },
		h(
			"div",
			{ class: "record-block-head" },
			h("h3", { text: name }),
			note,
			h(
				"div",
				{ class: "end" },
				all,
				buttons,
				h(
					"button",
					{
						type: "button",
						class: "icon-button",
						title: "Copy",
						"aria-label": `Copy ${name.toLowerCase()}`,
						on: { click: () => copy(pre.textContent) },
					},
					icon("copy"),
				),
			),
		),
		pre,
	);
}
