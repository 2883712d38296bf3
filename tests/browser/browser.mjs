// What the suites share: a browser, pages that collect their faults, and checks that every page must pass.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

/** @import { Browser, Page } from "playwright-core" */

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const SHOTS =
	process.env.WINDROW_SCREENSHOTS ??
	mkdtempSync(join(tmpdir(), "windrow-pages-"));

export const LOOKS = [1280, 360].flatMap((width) =>
	["dark", "light"].map((theme) => ({ width, theme })),
);

export async function startBrowser() {
	mkdirSync(SHOTS, { recursive: true });
	return chromium.launch({
		executablePath: process.env.WINDROW_CHROMIUM ?? "/usr/bin/chromium",
		args: [
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
		],
	});
}

/**
 * @typedef {object} Look how a page is opened
 * @property {number} [width]
 * @property {string} [theme] `dark` or `light`
 * @property {number} [ahead] how far the page's clock is ahead, in milliseconds
 * @property {boolean} [javaScriptEnabled]
 * @property {{ width: number, height: number }} [viewport]
 * @property {number} [deviceScaleFactor]
 * @property {string} [timezoneId]
 * @property {boolean} [bypassCSP]
 */

/** `faults`: console errors, exceptions, dialogs, failed requests. @typedef {Page & { faults: string[], done(): Promise<void> }} OpenPage */

/**
 * Opens a page in a context of its own, which `done()` closes.
 * @param {Browser} browser
 * @param {Look} [look]
 * @returns {Promise<OpenPage>}
 */
export async function openPage(browser, look = {}) {
	const { width = 1280, theme = "dark", ahead = 0, ...rest } = look;
	const context = await browser.newContext({
		viewport: { width, height: width < 500 ? 780 : 900 },
		colorScheme: theme === "light" ? "light" : "dark",
		timezoneId: "Europe/Berlin",
		permissions: ["clipboard-read", "clipboard-write"],
		bypassCSP: false,
		...rest,
	});
	if (ahead) await context.clock.setSystemTime(Date.now() + ahead);
	const page = await context.newPage();
	return Object.assign(page, {
		faults: collectFaults(page),
		done: () => context.close(),
	});
}

/** @param {Page} page */
function collectFaults(page) {
	/** @type {string[]} */
	const faults = [];
	page.on("console", (message) => {
		if (["error", "warning"].includes(message.type()))
			faults.push(`console: ${message.text()}`);
	});
	page.on("pageerror", (fault) => {
		faults.push(`exception: ${fault.message}`);
	});
	page.on("dialog", (dialog) => {
		faults.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	page.on("requestfailed", (request) => {
		// A stream ends when the page is left: that is no fault.
		const reason = request.failure()?.errorText ?? "";
		if (!/ERR_ABORTED/.test(reason))
			faults.push(`request: ${request.url()} ${reason}`);
	});
	page.on("response", (response) => {
		if (response.status() >= 400)
			faults.push(`status ${response.status()}: ${response.url()}`);
	});
	return faults;
}

/**
 * Names the elements beyond the right edge, for the message of a failed test.
 * @param {Page} page
 */
function whatSticksOut(page) {
	return page.evaluate(() =>
		[...document.querySelectorAll("body *")]
			.filter(
				(each) =>
					each.getBoundingClientRect().right >
					document.documentElement.clientWidth,
			)
			.map(
				(each) =>
					`${each.tagName}.${each.getAttribute("class")} ${each.textContent.trim().slice(0, 20)}`,
			)
			.join(" | "),
	);
}

/**
 * Returns the texts that cover one another inside one of the elements.
 * @param {Page} page
 * @param {string[]} selectors
 */
export function overlapping(page, ...selectors) {
	return page.evaluate((all) => {
		/** @param {Element} node */
		const box = (node) => {
			const range = document.createRange();
			range.selectNodeContents(node);
			const [whole, own] = [
				range.getBoundingClientRect(),
				node.getBoundingClientRect(),
			];
			const seen = getComputedStyle(node).overflow === "visible" ? whole : own;
			return {
				left: Math.max(whole.left, seen.left),
				right: Math.min(whole.right, seen.right),
				top: Math.max(whole.top, seen.top),
				bottom: Math.min(whole.bottom, seen.bottom),
			};
		};
		/**
		 * @param {ReturnType<typeof box>} a
		 * @param {ReturnType<typeof box>} b
		 */
		const cover = (a, b) =>
			a.left < b.right - 1 &&
			b.left < a.right - 1 &&
			a.top < b.bottom - 1 &&
			b.top < a.bottom - 1;
		return [...document.querySelectorAll(all)].flatMap((row) => {
			const parts = [...row.children].filter(
				(each) => each.checkVisibility() && each.textContent.trim() !== "",
			);
			return parts.flatMap((one, i) =>
				parts
					.slice(i + 1)
					.filter((other) => cover(box(one), box(other)))
					.map(
						(other) =>
							`${one.textContent.trim()} / ${other.textContent.trim()}`,
					),
			);
		});
	}, selectors.join());
}

/**
 * Returns the elements whose text is wider than they are.
 * @param {Page} page
 * @param {string} selector
 */
export function cutOff(page, selector) {
	return page.evaluate((all) => {
		return [...document.querySelectorAll(all)]
			.filter((each) => {
				const range = document.createRange();
				range.selectNodeContents(each);
				return (
					range.getBoundingClientRect().right >
					each.getBoundingClientRect().right + 1
				);
			})
			.map((each) => each.textContent.trim());
	}, selector);
}

/**
 * Checks that the page does not scroll sideways.
 * @param {Page} page
 * @param {string} name
 */
export async function mustBeWide(page, name) {
	const over = await page.evaluate(
		() =>
			document.documentElement.scrollWidth -
			document.documentElement.clientWidth,
	);
	assert.ok(
		over <= 0,
		`${name}: the page scrolls sideways by ${over} px: ${over > 0 && (await whatSticksOut(page))}`,
	);
}

/**
 * Checks for console errors, failed requests, sideways scrolling and serious findings of axe, and takes a screenshot.
 * @param {OpenPage} page
 * @param {string} name
 */
export async function mustBeFit(page, name) {
	await mustBeWide(page, name);
	await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
	// By evaluation, not as a script element: the pages' policy allows none.
	const { readFileSync } = await import("node:fs");
	await page.evaluate(readFileSync(AXE, "utf8"));
	const found = await page.evaluate(() =>
		/** @type {Window & { axe: typeof import("axe-core") }} */ (
			/** @type {unknown} */ (window)
		).axe.run(document, { resultTypes: ["violations"] }),
	);
	const grave = found.violations
		.filter((each) => ["serious", "critical"].includes(each.impact ?? ""))
		.map(
			(each) =>
				`${each.id} (${each.impact}): ${each.nodes
					.slice(0, 3)
					.map((node) => `${node.target} ${node.any[0]?.message ?? ""}`)
					.join(" | ")}`,
		);
	assert.deepEqual(grave, [], `${name}: axe`);
	assert.deepEqual(page.faults, [], `${name}: faults`);
}

/**
 * Waits until the page shows some of its data.
 * @param {Page} page
 */
export async function settled(page) {
	// The text for browsers without JavaScript stands there until the modules run.
	await page.waitForFunction(() => {
		const main = document.querySelector("main");
		const text = main?.textContent.trim() ?? "";
		return !main?.querySelector("noscript") && text.length > 40;
	});
	await page.waitForTimeout(300);
}

/**
 * Waits until the text of the first such element passes `check`.
 * @param {Page} page
 * @param {string} selector
 * @param {(text: string) => boolean} check
 * @param {number} [timeoutMs]
 */
export async function waitForText(page, selector, check, timeoutMs = 30_000) {
	const deadline = Date.now() + timeoutMs;
	let text = "";
	while (Date.now() < deadline) {
		text = await page.locator(selector).first().innerText();
		if (check(text)) return;
		await page.waitForTimeout(50);
	}
	assert.fail(`${selector} after ${timeoutMs} ms: ${text}`);
}

/**
 * Returns a path as a part of a file name.
 * @param {string} path
 * @param {string} root the name of `/`
 */
export const fileName = (path, root) =>
	path.replace(/\W+/g, "-").replace(/^-|-$/g, "") || root;

/** Returns a text that no earlier call returned. */
export const uniqueText = () =>
	`${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
