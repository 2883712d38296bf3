// A record in a list: one line, which opens to all that is known about it.

import { h } from "/assets/shared/dom.js";
import { fetchJson } from "/assets/shared/fetch.js";
import {
	formatBytes,
	formatExact,
	formatExactTime,
	formatTime,
	isNumber,
	plural,
	UNKNOWN,
} from "/assets/shared/format.js";
import { factList } from "/assets/shared/widgets.js";
import { oneLine } from "./bytes.js";
import { createBytesView } from "./bytes-view.js";
import { messagesPath, recordQuery } from "./parts.js";

/** @import { Num } from "/assets/shared/format.js" */
/** @import { KafkaBytes, KafkaHeader, KafkaRecord, RecordPage } from "/types/kafka-api.js" */

const MAX_WHOLE_VALUE = 8 << 20;
const MAX_HEADER_LENGTH = 1024;

/**
 * "10:41:07.120"
 * @param {Num} ms
 */
function formatTimestamp(ms) {
	if (!isNumber(ms)) return UNKNOWN;
	const fraction = String(((ms % 1000) + 1000) % 1000).padStart(3, "0");
	return `${formatTime(ms)}.${fraction}`;
}

/**
 * @param {KafkaBytes | null} bytes
 * @param {string} nullWord
 */
function briefBytes(bytes, nullWord) {
	const text = bytes ? oneLine(bytes) : "";
	return text || h("span", { class: "tag", text: bytes ? "empty" : nullWord });
}

/**
 * Requests the value of a record, as much of it as the server gives.
 * @param {string} topic
 * @param {KafkaRecord} record
 */
async function fetchWholeValue(topic, record) {
	const api = `/api/topics/${encodeURIComponent(topic)}/messages`;
	/** @type {RecordPage} */
	const page = await fetchJson(
		`${api}?${recordQuery(record)}&limit=1&bytes=${MAX_WHOLE_VALUE}`,
	);
	const found = page.records.find(
		({ partition, offset }) =>
			partition === record.partition && offset === record.offset,
	);
	if (!found?.value) throw new Error("The record does not exist any more.");
	return found.value;
}

/** @param {KafkaHeader} header */
const headerLine = ({ name, value }) => [
	h("dt", { class: "mono", text: name }),
	h(
		"dd",
		{ class: "mono" },
		value
			? oneLine(value, MAX_HEADER_LENGTH)
			: h("span", { class: "tag", text: "null" }),
		value && !value.whole
			? h("span", {
					class: "muted",
					text: ` … ${formatBytes(value.bytes)} in all`,
				})
			: null,
	),
];

/** @param {KafkaRecord} record */
function headersBlock({ headers, header_count: count }) {
	if (count === 0)
		return h("p", { class: "muted tiny record-none", text: "No headers." });
	const more = count - headers.length;
	return h(
		"div",
		{ class: "record-block" },
		h("h3", { text: plural(count, "header") }),
		h("dl", { class: "facts record-headers" }, headers.map(headerLine)),
		more > 0
			? h("p", {
					class: "muted tiny",
					text: `and ${plural(more, "more header")}`,
				})
			: null,
	);
}

/**
 * @param {string} topic
 * @param {KafkaRecord} record
 */
function recordFacts(topic, record) {
	const { partition, offset, timestamp_ms: ms, bytes } = record;
	const href = messagesPath(topic, recordQuery(record));
	return factList(
		[
			[
				"Place",
				[
					`partition ${partition}, offset ${offset} `,
					h("a", { href, "data-page": true, text: "the records after it" }),
				],
			],
			[
				"Timestamp",
				h(
					"span",
					{ title: formatExactTime(ms) },
					`${formatTimestamp(ms)} `,
					h("span", {
						class: "muted",
						text:
							record.timestamp_by === "append"
								? "set by the broker"
								: "set by the producer",
					}),
				),
			],
			["Size", formatExact(bytes, bytes === 1 ? "byte" : "bytes")],
		],
		"facts record-facts",
	);
}

/**
 * @param {string} topic
 * @param {KafkaRecord} record
 */
const recordDetails = (topic, record) => [
	recordFacts(topic, record),
	createBytesView("Key", record.key, "This record has no key."),
	createBytesView(
		"Value",
		record.value,
		"The value is null: a tombstone. In a compacted topic it deletes the key.",
		() => fetchWholeValue(topic, record),
	),
	headersBlock(record),
];

/**
 * Creates the line of a record. Its details are created when it opens.
 * @param {string} topic
 * @param {KafkaRecord} record
 */
export function createRecordLine(topic, record) {
	const { partition, offset, timestamp_ms: ms, bytes } = record;
	const body = h("div", { class: "entry-body" });
	const summary = h(
		"summary",
		null,
		h("span", {
			class: "record-time",
			title: formatExactTime(ms),
			text: formatTimestamp(ms),
		}),
		h(
			"span",
			{
				class: "record-place",
				title: `partition ${partition}, offset ${offset}`,
			},
			h("span", { class: "muted", text: partition }),
			h("span", { class: "record-colon muted", text: ":" }),
			offset,
		),
		h("span", { class: "record-key mono" }, briefBytes(record.key, "no key")),
		h("span", { class: "record-value mono" }, briefBytes(record.value, "null")),
		h("span", {
			class: "record-bytes muted",
			title: formatExact(bytes, "bytes"),
			text: formatBytes(bytes),
		}),
	);
	const element = h("details", { class: "entry record" }, summary, body);
	element.addEventListener("toggle", () => {
		if (element.open && !body.firstChild)
			body.append(...recordDetails(topic, record));
	});
	return element;
}
