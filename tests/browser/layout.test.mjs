// The layout of the job's pages on made-up data: every page in both themes and at all widths, and states that are rare
// in a real job. The answers of the server itself are for stack.test.mjs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
	cutOff,
	fileName,
	LOOKS,
	mustBeFit,
	mustBeWide,
	openPage,
	overlapping,
	settled,
	waitForText,
} from "./browser.mjs";
import { MockSuite } from "./mock/suite.mjs";

/** @import { Route } from "playwright-core" */

const PAGES = [
	"/",
	"/partitions",
	"/checkpoints",
	"/features",
	"/features/111",
	"/features/unknown-user",
	"/problems",
	"/pipeline",
];
/** What has parts side by side. */
const ROWS = [
	"tr",
	".entry > summary",
	".figures",
	".figure-line",
	".section-head",
	".card-head",
	".mark-list li",
	".ticker li",
];

const suite = new MockSuite();

describe("every page", () => {
	for (const look of LOOKS) {
		for (const path of PAGES) {
			test(`${path} ${look.theme} ${look.width} px`, () =>
				suite.on(
					path,
					(page) =>
						mustBeFit(
							page,
							`mock-${fileName(path, "overview")}-${look.theme}-${look.width}`,
						),
					look,
				));
		}
	}
	for (const [scenario, paths] of /** @type {[string, string[]][]} */ ([
		["empty", PAGES.slice(0, 7)],
		["broken", PAGES.slice(0, 7)],
		["busy", ["/", "/features/111", "/features/unknown-user"]],
	])) {
		for (const path of paths) {
			const look = {
				theme: "light",
				width: scenario === "broken" ? 360 : 1280,
			};
			test(`${path} ${scenario}`, () =>
				suite.on(
					path,
					(page) =>
						mustBeFit(
							page,
							`mock-${fileName(path, "overview")}-${scenario}-${look.theme}-${look.width}`,
						),
					{
						scenario,
						...look,
					},
				));
		}
	}
	// A tick of the hour moves from the right end of the charts to the left.
	for (const minutes of [0, 1, 58, 59]) {
		test(`times under the charts lie under them, ${minutes} min past the hour`, async () => {
			const hour = 3_600_000;
			suite.mock.aheadMs = hour - (Date.now() % hour) + minutes * 60_000;
			try {
				await suite.on(
					"/",
					async (page) => {
						const outside = await page.evaluate(() => {
							const charts = document.querySelector(".charts");
							if (!charts) return ["no charts"];
							const { left, right } = charts.getBoundingClientRect();
							return [...document.querySelectorAll(".chart-tick > span")]
								.filter(
									(each) =>
										each.getBoundingClientRect().left < left ||
										each.getBoundingClientRect().right > right,
								)
								.map((each) => each.textContent);
						});
						assert.deepEqual(outside, []);
						assert.ok((await page.locator(".chart-tick > span").count()) > 2);
					},
					{ width: 360 },
				);
			} finally {
				suite.mock.aheadMs = 0;
			}
		});
	}
	// Times of another day carry their date, as all times do shortly after midnight.
	for (const [scenario, width] of /** @type {[string, number][]} */ ([
		["calm", 1280],
		["broken", 360],
		["hostile", 360],
	])) {
		for (const path of [
			"/",
			"/partitions",
			"/checkpoints",
			"/features",
			"/features/111",
			"/problems#late_events",
			"/problems#exceptions",
		]) {
			test(`${path} ${scenario}, of a month ago, ${width} px`, async () => {
				suite.mock.aheadMs = -30 * 86_400_000;
				try {
					await suite.on(
						path,
						async (page) => {
							await waitForText(page, "main", (text) =>
								/\d{4}-\d\d-\d\d| ago/.test(text),
							);
							for (const summary of await page
								.locator("main summary:visible")
								.all())
								await summary.click();
							assert.match(
								await page.locator("main").innerText(),
								/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/,
							);
							assert.deepEqual(await overlapping(page, ...ROWS), []);
							await mustBeFit(
								page,
								`mock-${fileName(path, "overview")}-${scenario}-past-dark-${width}`,
							);
						},
						{ scenario, width },
					);
				} finally {
					suite.mock.aheadMs = 0;
				}
			});
		}
	}
	test("the moment under the cursor stays on the page", async () => {
		suite.mock.aheadMs = -30 * 86_400_000;
		try {
			await suite.on(
				"/",
				async (page) => {
					await page.locator(".charts").scrollIntoViewIfNeeded();
					const charts = await page.locator(".chart-overlay").boundingBox();
					assert.ok(charts);
					const { x, y, width, height } = charts;
					for (const share of [
						0.001, 0.05, 0.09, 0.11, 0.5, 0.85, 0.89, 0.91, 0.95, 0.999,
					]) {
						await page.mouse.move(x + width * share, y + height / 2);
						const hair = await page.locator(".chart-hair > span").boundingBox();
						assert.ok(hair);
						const [from, to] = [x - 1, x + width + 1];
						assert.ok(
							hair.x >= from && hair.x + hair.width <= to,
							`at ${share}: ${JSON.stringify(hair)}`,
						);
						await mustBeWide(page, `with the cursor at ${share}`);
					}
				},
				{ width: 360 },
			);
		} finally {
			suite.mock.aheadMs = 0;
		}
	});
	// Between the widths of a phone and of a desktop the layouts change.
	for (const [path, scenario] of [
		...PAGES.map((path) => [path, "hostile"]),
		["/", "calm"],
		["/", "broken"],
	]) {
		test(`${path} ${scenario} fits every width`, () =>
			suite.on(
				path,
				async (page) => {
					for (const width of [
						1160, 1081, 1001, 1000, 941, 861, 860, 721, 720, 701, 641, 561, 480,
						400, 320,
					]) {
						await page.setViewportSize({ width, height: 800 });
						await mustBeWide(page, `${path} at ${width} px`);
						assert.deepEqual(
							await overlapping(page, ...ROWS),
							[],
							`${width} px`,
						);
						assert.deepEqual(await cutOff(page, ".figure"), [], `${width} px`);
					}
				},
				{ scenario },
			));
	}
	test("a browser gets less than 100 KB for all of them", async () => {
		const page = await openPage(suite.browser);
		/** @type {Promise<{ responseBodySize: number }>[]} */
		const sizes = [];
		page.on("requestfinished", (request) => {
			if (!request.url().includes("/api/")) sizes.push(request.sizes());
		});
		await page.goto(`${suite.mock.url}/`, { waitUntil: "load" });
		await settled(page);
		const bytes = (await Promise.all(sizes)).reduce(
			(sum, size) => sum + size.responseBodySize,
			0,
		);
		await page.done();
		assert.ok(bytes > 50_000 && bytes < 100_000, `${bytes} bytes`);
	});
	test("the first paint waits for the frame's files, and nothing is asked for before them", async () => {
		// How long it takes is for bench/first_paint.mjs.
		const frame = [
			"/",
			"/assets/shared/theme.js",
			"/assets/shared/base.css",
			"/assets/job/job.css",
			"/assets/shared/start.js",
		];
		const page = await openPage(suite.browser);
		/** @type {string[]} */
		const asked = [];
		/** @type {Route[]} */
		const held = [];
		await page.route("**/*", (route) => {
			const path = new URL(route.request().url()).pathname;
			asked.push(path);
			return frame.includes(path) ? route.continue() : held.push(route);
		});
		try {
			await page.goto(`${suite.mock.url}/`, { waitUntil: "commit" });
			await page.waitForFunction(
				() => performance.getEntriesByName("first-contentful-paint").length > 0,
			);
			assert.ok(
				await page.locator(".nav a", { hasText: "Problems" }).isVisible(),
			);
			assert.deepEqual(asked.slice(0, frame.length).sort(), [...frame].sort());
			// The page has more files than those: its modules, which load after the paint.
			while (!asked.some((path) => path.endsWith("/overview.js")))
				await page.waitForTimeout(20);
			await page.unrouteAll({ behavior: "ignoreErrors" });
			await page.reload();
			await settled(page);
		} finally {
			await page.done();
		}
	});
});
