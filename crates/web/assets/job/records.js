// The bytes of a record: as indented JSON where they are JSON, and as they were sent.

import { h } from "/assets/shared/dom.js";
import { formatBytes, formatExact, joinParts } from "/assets/shared/format.js";
import { indentJson, isJsonContainer } from "/assets/shared/json.js";
import { actionButton, copyText, icon } from "/assets/shared/widgets.js";

/** @import { RecordBytes } from "/types/job-api.js" */

const MAX_SIZE = 64 * 1024;

/**
 * Returns what to know about the bytes beside their size.
 * @param {RecordBytes} bytes
 */
function sizeNote(bytes) {
	const kept = new TextEncoder().encode(bytes.text).length;
	if (!bytes.utf8) return "not UTF-8: invalid bytes are shown as �";
	return kept < bytes.bytes
		? `only the first ${formatBytes(kept)} are kept`
		: "";
}

/**
 * Creates the panel of a record.
 * @param {RecordBytes | null} bytes null: Kafka's null value
 */
export function recordPanel(bytes) {
	const label = "Record";
	if (!bytes)
		return h("p", {
			class: "muted",
			text: `${label}: Kafka's null value, no bytes at all.`,
		});
	const { text } = bytes;
	const sent = text.length <= MAX_SIZE ? text : `${text.slice(0, MAX_SIZE)}…`;
	const json = isJsonContainer(sent) ? indentJson(sent) : null;
	const code = h("pre", {
		class: "code wrap",
		tabindex: "0",
		"aria-label": label,
		text: json ?? (sent || "(empty)"),
	});
	let showsJson = true;
	const toggle = actionButton("Show as sent", toggleForm, "button small");
	toggle.setAttribute("aria-pressed", "false");
	function toggleForm() {
		showsJson = !showsJson;
		code.textContent = showsJson ? json : sent;
		toggle.textContent = showsJson ? "Show as sent" : "Show formatted";
		toggle.setAttribute("aria-pressed", String(!showsJson));
	}
	const copy = actionButton("Copy", () => copyText(text), "button small");
	copy.prepend(icon("copy"));
	return h(
		"div",
		{ class: "record" },
		h(
			"div",
			{ class: "record-head" },
			h("h3", { text: label }),
			h("span", {
				class: "muted tiny",
				title: formatExact(bytes.bytes, "bytes"),
				text: joinParts(formatBytes(bytes.bytes), sizeNote(bytes)),
			}),
			h("span", { class: "end" }, json === null ? null : toggle, copy),
		),
		code,
	);
}
