// JSON with line breaks.

const INDENT = "  ";
const MAX_DEPTH = 40;
const TOKENS = /"(?:[^"\\]|\\[\s\S])*"?|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * Returns whether the text is a JSON object or array.
 * @param {string} text
 */
export function isJsonContainer(text) {
	try {
		const value = JSON.parse(text);
		return typeof value === "object" && value !== null;
	} catch {
		return false;
	}
}

/**
 * Breaks JSON into indented lines, also the beginning of a longer text. Only white space changes: numbers keep all their
 * digits, names their order, and repeated names stay.
 * @param {string} text
 */
export function indentJson(text) {
	let depth = 0;
	let before = "";
	let out = "";
	const newLine = () => `\n${INDENT.repeat(Math.min(depth, MAX_DEPTH))}`;
	for (const [token] of text.matchAll(TOKENS)) {
		const opened = before === "{" || before === "[";
		if (token === "}" || token === "]") {
			depth = Math.max(0, depth - 1);
			if (!opened) out += newLine();
		} else if (opened) out += newLine();
		out += token;
		if (token === "{" || token === "[") depth += 1;
		else if (token === ",") out += newLine();
		else if (token === ":") out += " ";
		before = token;
	}
	return out;
}
