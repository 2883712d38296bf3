// Keys, values and headers as text, indented JSON or hex. What arrives is `{ bytes, whole, text | base64 }` or null.

const INDENT = "  ";
const TOKENS = /"(?:[^"\\]|\\[^])*"?|[{}[\],:]|[^\s{}[\],:"]+/g;
const HEX_MAX = 16_384;

/** The bytes themselves. */
export function raw(shown) {
	if (shown.text !== undefined) return new TextEncoder().encode(shown.text);
	const text = atob(shown.base64 ?? "");
	return Uint8Array.from(text, (sign) => sign.charCodeAt(0));
}

/** Whether this is a JSON object or array, or the beginning of one. */
export function isJson(shown) {
	const text = shown?.text;
	if (text === undefined || !/^\s*[{[]/.test(text)) return false;
	if (!shown.whole) return true;
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

/** JSON with line breaks. Only white space changes: numbers keep their digits, names their order, and doubles stay. */
export function indented(text) {
	const out = [];
	let depth = 0;
	let before = "";
	const line = () => out.push("\n", INDENT.repeat(Math.min(depth, 40)));
	for (const [token] of text.matchAll(TOKENS)) {
		if (token === "{" || token === "[") {
			if (before === "{" || before === "[") line();
			out.push(token);
			depth += 1;
		} else if (token === "}" || token === "]") {
			depth = Math.max(0, depth - 1);
			if (before !== "{" && before !== "[") line();
			out.push(token);
		} else if (token === ",") {
			out.push(token);
			line();
		} else if (token === ":") {
			out.push(": ");
		} else {
			if (before === "{" || before === "[") line();
			out.push(token);
		}
		before = token;
	}
	return out.join("");
}

/** A hex dump: offset, sixteen bytes, and what of them is ASCII. */
export function hex(shown) {
	const bytes = raw(shown);
	const lines = [];
	for (let at = 0; at < Math.min(bytes.length, HEX_MAX); at += 16) {
		const part = Array.from(bytes.subarray(at, at + 16));
		const digits = part
			.map((byte) => byte.toString(16).padStart(2, "0"))
			.join(" ");
		const signs = part
			.map((byte) =>
				byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".",
			)
			.join("");
		lines.push(
			`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${signs}`,
		);
	}
	if (bytes.length > HEX_MAX) lines.push("…");
	return lines.join("\n");
}

/** In one short line. */
export function brief(shown, most = 200) {
	if (!shown) return "";
	if (shown.text !== undefined)
		return shown.text.slice(0, most).replace(/\s+/g, " ");
	return `0x${Array.from(raw(shown).subarray(0, Math.min(64, most / 2)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
