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
 * Reads a file; null where there is none.
 * @param {string} path below the folder of the pages
 */
export async function readAsset(path) {
	const clean = normalize(path);
	const extension = clean.split(".").pop() ?? "";
	try {
		return {
			contentType: CONTENT_TYPES[extension] ?? "application/octet-stream",
			content: await readFile(join(ASSETS, clean)),
		};
	} catch {
		return null;
	}
}
