// Draws docs/pictures/{overview-page,features-page}-{light,dark}.png, the screenshots of the READMEs:
// npm run pictures --prefix tests/browser. The pages run on the mock, whose clock stands still, and with the font of a
// package, so that the same pages give the same pictures, but for antialiasing. Only Redis keys use a font of the machine.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPage, settled, startBrowser } from "./browser.mjs";
import { startMock } from "./mock/server.mjs";

/** @import { Browser, Route } from "playwright-core" */
/** @import { OpenPage } from "./browser.mjs" */

/**
 * @typedef {object} Picture
 * @property {string} name
 * @property {string} path
 * @property {string} last the element at the lower edge
 * @property {string} ready the text that the page shows once all of its answers have arrived
 */

/** @type {Picture[]} */
const PICTURES = [
	{ name: "overview-page", path: "/", last: ".charts", ready: "10:30" },
	{
		name: "features-page",
		path: "/features/111",
		last: ".view:nth-of-type(2)",
		ready: "to 10:25:38",
	},
];
const FOLDER = join(
	dirname(fileURLToPath(import.meta.url)),
	"../../docs/pictures",
);
const FONT = createRequire(import.meta.url).resolve(
	"@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
);
const NOW_MS = Date.parse("2026-11-25T10:39:43Z");
const WIDTH_PX = 1120;
const MARGIN_PX = 12;
const MOST_BYTES = 250_000;

const fontCss = `
	@font-face {
		font-family: Inter;
		font-weight: 100 900;
		src: url(data:font/woff2;base64,${readFileSync(FONT).toString("base64")});
	}
	:root { --sans: Inter, sans-serif; }`;

/**
 * Opens the page with its font, and waits until it shows all of its answers.
 * @param {Browser} browser
 * @param {string} url
 * @param {string} theme
 * @param {string} ready
 */
async function openWithFont(browser, url, theme, ready) {
	const page = await openPage(browser, {
		theme,
		viewport: { width: WIDTH_PX, height: 1200 },
		deviceScaleFactor: 1.5,
		timezoneId: "UTC",
		bypassCSP: true,
	});
	await page.clock.setFixedTime(NOW_MS);
	// The page's program starts after its font has been loaded: it places labels by the width of their text.
	/** @type {Promise<Route>} */
	const program = new Promise((resolve) => page.route("**/app.js", resolve));
	await page.goto(url, { waitUntil: "commit" });
	await program;
	await page.addStyleTag({ content: fontCss });
	await page.evaluate(() => document.fonts.load("16px Inter"));
	await (await program).continue();
	await page.getByText(ready).first().waitFor();
	await settled(page);
	return page;
}

/**
 * Takes screenshots until two in a row are the same.
 * @param {OpenPage} page
 * @param {string} last
 */
async function screenshot(page, last) {
	const box = await page.locator(last).boundingBox();
	assert.ok(box, `no ${last}`);
	const height = Math.round(box.y + box.height + MARGIN_PX);
	const clip = { x: 0, y: 0, width: WIDTH_PX, height };
	// A README has the colour of the page: a frame shows where the picture ends.
	const frame = `body::after {
		content: "";
		position: absolute;
		z-index: 99;
		inset: 0 0 auto;
		height: ${height}px;
		border: 1px solid var(--line);
		pointer-events: none;
	}`;
	await page.addStyleTag({ content: frame });
	/** @type {Buffer | null} */
	let before = null;
	for (let round = 0; round < 20; round += 1) {
		const picture = await page.screenshot({ animations: "disabled", clip });
		if (before && picture.equals(before)) return picture;
		before = picture;
	}
	throw new Error("the page does not stop changing");
}

const browser = await startBrowser();
const mock = await startMock();
mock.frozenAtMs = NOW_MS;
try {
	for (const { name, path, last, ready } of PICTURES) {
		for (const theme of ["light", "dark"]) {
			const file = join(FOLDER, `${name}-${theme}.png`);
			const page = await openWithFont(browser, mock.url + path, theme, ready);
			const picture = await screenshot(page, last);
			assert.deepEqual(page.faults, [], file);
			assert.ok(picture.length <= MOST_BYTES, `${file} is too large`);
			writeFileSync(file, picture);
			await page.done();
			console.log(file);
		}
	}
} finally {
	await browser.close();
	await mock.close();
}
