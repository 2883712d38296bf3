// The files of the pages, as the server sends them.

import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ASSETS = join(
	dirname(fileURLToPath(import.meta.url)),
	"../../../crates/web/assets",
);
/** @type {Record<string, string>} */
const CONTENT_TYPES = {
	html: "text/html; charset=utf-8",
	js: "text/javascript; charset=utf-8",
	css: "text/css; charset=utf-8",
	svg: "image/svg+xml",
};

/**
 * Empties the lines of a script that hold only comments, as crates/web/src/assets.rs does.
 * @param {string} script
 */
export function withoutCommentLines(script) {
	let inside = false;
	const lines = script.split("\n").map((line) => {
		const text = line.trim();
		const begins = text.startsWith("/*");
		const ends = text.includes("*/");
		const whole =
			inside ||
			text.startsWith("//") ||
			(begins && (!ends || text.endsWith("*/")));
		inside = (inside || begins) && !ends;
		return whole ? "" : line;
	});
	return lines.join("\n");
}

/**
 * Reads a file; null where there is none.
 * @param {string} path below the folder of the pages
 */
export async function readAsset(path) {
	const clean = normalize(path);
	const extension = clean.split(".").pop() ?? "";
	try {
		const content = await readFile(join(ASSETS, clean));
		return {
			contentType: CONTENT_TYPES[extension] ?? "application/octet-stream",
			content:
				extension === "js" ? withoutCommentLines(String(content)) : content,
		};
	} catch {
		return null;
	}
}
