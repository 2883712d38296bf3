// Keys, values and headers in one line, as text, indented JSON, or a hex dump.

import { isJsonContainer } from "/assets/shared/json.js";

/** @import { KafkaBytes } from "/types/kafka-api.js" */

const MAX_HEX = 16_384;
const MAX_ONE_LINE_HEX = 64;

/** @param {KafkaBytes} bytes */
function decodeBytes({ text, base64 }) {
	if (text !== undefined) return new TextEncoder().encode(text);
	return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

/** @param {number} byte */
const hexByte = (byte) => byte.toString(16).padStart(2, "0");

/**
 * Returns whether the bytes are a JSON object or array, or begin one.
 * @param {KafkaBytes} bytes
 */
export function looksLikeJson({ text, whole }) {
	if (text === undefined || !/^\s*[{[]/.test(text)) return false;
	return !whole || isJsonContainer(text);
}

/**
 * Returns a hex dump: offset, sixteen bytes, and those of them that are ASCII.
 * @param {KafkaBytes} shown
 */
export function hexDump(shown) {
	const bytes = decodeBytes(shown);
	const lines = [];
	for (let at = 0; at < Math.min(bytes.length, MAX_HEX); at += 16) {
		const part = Array.from(bytes.subarray(at, at + 16));
		const digits = part.map(hexByte).join(" ");
		const signs = part
			.map((byte) =>
				byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".",
			)
			.join("");
		const offset = at.toString(16).padStart(6, "0");
		lines.push(`${offset}  ${digits.padEnd(47)}  ${signs}`);
	}
	if (bytes.length > MAX_HEX) lines.push("…");
	return lines.join("\n");
}

/**
 * Returns the bytes as one short line.
 * @param {KafkaBytes} bytes
 */
export function oneLine(bytes, most = 200) {
	if (bytes.text !== undefined)
		return bytes.text.slice(0, most).replace(/\s+/g, " ");
	const part = decodeBytes(bytes).subarray(
		0,
		Math.min(MAX_ONE_LINE_HEX, most / 2),
	);
	return `0x${Array.from(part, hexByte).join("")}`;
}
