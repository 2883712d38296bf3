// What both suites share: a browser, a page that notes everything that goes wrong in it, and what every page must be.

import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

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
 * A page with `faults`: console errors, exceptions, dialogs, requests that failed. `done()` closes its context.
 * `ahead`: by how many milliseconds the page's clock is.
 */
export async function openPage(
	browser,
	{ width = 1280, theme = "dark", ahead = 0, ...rest } = {},
) {
	const context = await browser.newContext({
		viewport: { width, height: width < 500 ? 780 : 900 },
		colorScheme: theme,
		timezoneId: "Europe/Berlin",
		permissions: ["clipboard-read", "clipboard-write"],
		bypassCSP: false,
		...rest,
	});
	if (ahead) await context.clock.setSystemTime(Date.now() + ahead);
	const page = await context.newPage();
	page.faults = [];
	page.on(
		"console",
		(message) =>
			["error", "warning"].includes(message.type()) &&
			page.faults.push(`console: ${message.text()}`),
	);
	page.on("pageerror", (fault) =>
		page.faults.push(`exception: ${fault.message}`),
	);
	page.on("dialog", (dialog) => {
		page.faults.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	// A stream that ends because the page moves on is no fault.
	page.on(
		"requestfailed",
		(request) =>
			!/ERR_ABORTED/.test(request.failure()?.errorText ?? "") &&
			page.faults.push(
				`request: ${request.url()} ${request.failure()?.errorText}`,
			),
	);
	page.on(
		"response",
		(response) =>
			response.status() >= 400 &&
			page.faults.push(`status ${response.status()}: ${response.url()}`),
	);
	page.done = () => context.close();
	return page;
}

/** Whose right side lies outside, for the message of a failed test. */
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
					`${each.tagName}.${each.className.baseVal ?? each.className} ${each.textContent.trim().slice(0, 20)}`,
			)
			.join(" | "),
	);
}

/** Texts that cover one another inside one of the elements. */
export function overlapping(page, ...selectors) {
	return page.evaluate((all) => {
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

/** Elements whose text is wider than they are. */
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

/** No sideways scrolling. */
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

/** No console error, no failed request, no sideways scrolling, nothing serious from axe; and a picture to look at. */
export async function mustBeFit(page, name) {
	await mustBeWide(page, name);
	await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
	// By evaluation, not as a script element: the pages' policy allows none.
	const { readFileSync } = await import("node:fs");
	await page.evaluate(readFileSync(AXE, "utf8"));
	const found = await page.evaluate(() =>
		window.axe.run(document, { resultTypes: ["violations"] }),
	);
	const grave = found.violations
		.filter((each) => ["serious", "critical"].includes(each.impact))
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

/** Waits until the page shows something of its data. */
export async function settled(page) {
	await page.waitForFunction(
		() => document.querySelector("main")?.textContent.trim().length > 40,
	);
	await page.waitForTimeout(300);
}
