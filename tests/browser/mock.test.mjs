// The job's pages on made-up data: every page in both themes and widths, and states that are rare in a real job.
// The answers of the server itself are for stack.test.mjs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
	cutOff,
	fileName,
	LOOKS,
	mustBeFit,
	mustBeWide,
	openPage,
	overlapping,
	settled,
	startBrowser,
	waitForText,
} from "./browser.mjs";
/** @import { Browser, Route } from "playwright-core" */
/** @import { Look, OpenPage } from "./browser.mjs" */
/** @import { MockServer } from "./mock/server.mjs" */
/** @import { Scenario } from "./mock/state.mjs" */
import { startMock } from "./mock/server.mjs";
import { HOSTILE, UNKNOWN_USER } from "./mock/state.mjs";

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

/** @type {Browser} */
let browser;
/** @type {MockServer} */
let mock;
before(async () => {
	browser = await startBrowser();
	mock = await startMock();
});
after(async () => {
	await browser?.close();
	await mock?.close();
});

/**
 * Opens a page of the mock for `work`, and closes it.
 * @param {string} path
 * @param {(page: OpenPage) => Promise<void>} work
 * @param {Look & { scenario?: string }} [options]
 */
async function on(path, work, { scenario = "calm", ...look } = {}) {
	mock.scenario = /** @type {Scenario} */ (scenario);
	const page = await openPage(browser, look);
	try {
		await page.goto(mock.url + path);
		await settled(page);
		return await work(page);
	} finally {
		await page.done();
	}
}

describe("every page", () => {
	for (const look of LOOKS) {
		for (const path of PAGES) {
			test(`${path} ${look.theme} ${look.width} px`, () =>
				on(
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
				on(
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
			mock.aheadMs = hour - (Date.now() % hour) + minutes * 60_000;
			try {
				await on(
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
				mock.aheadMs = 0;
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
				mock.aheadMs = -30 * 86_400_000;
				try {
					await on(
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
					mock.aheadMs = 0;
				}
			});
		}
	}
	test("the moment under the cursor stays on the page", async () => {
		mock.aheadMs = -30 * 86_400_000;
		try {
			await on(
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
			mock.aheadMs = 0;
		}
	});
	// Between the widths of a phone and of a desktop the layouts change.
	for (const [path, scenario] of [
		...PAGES.map((path) => [path, "hostile"]),
		["/", "calm"],
		["/", "broken"],
	]) {
		test(`${path} ${scenario} fits every width`, () =>
			on(
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
		const page = await openPage(browser);
		/** @type {Promise<{ responseBodySize: number }>[]} */
		const sizes = [];
		page.on("requestfinished", (request) => {
			if (!request.url().includes("/api/")) sizes.push(request.sizes());
		});
		await page.goto(`${mock.url}/`, { waitUntil: "load" });
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
		const page = await openPage(browser);
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
			await page.goto(`${mock.url}/`, { waitUntil: "commit" });
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

describe("a Redis that is still being looked through", () => {
	for (const [user, row] of [
		["111", true],
		[UNKNOWN_USER, false],
	]) {
		test(`${user}: the page shows the search, and does not claim that there is no row`, () =>
			on(
				`/features/${user}`,
				async (page) => {
					const text = await page.locator("main").innerText();
					assert.match(text, /Looking through Redis/);
					assert.doesNotMatch(text, /Redis holds no row|One comes when/);
					assert.equal(text.includes("view_count_1h"), row);
				},
				{ scenario: "busy" },
			));
	}
});

test("a Redis that may not be looked through: why, and what to do", () =>
	on(
		"/features/111",
		async (page) => {
			const text = await page.locator("main").innerText();
			assert.match(
				text,
				/to run the 'scan' command\. Rows written lately are shown\. The user in sink\.redis\.url needs the right to SCAN\./,
			);
		},
		{ scenario: "hostile" },
	));

describe("values from records", () => {
	for (const path of [
		"/",
		"/partitions",
		"/checkpoints",
		"/features",
		"/features/111",
		"/problems",
		"/pipeline",
	]) {
		for (const width of [1280, 360]) {
			test(`hostile ones stay text on ${path} at ${width} px`, () =>
				on(
					path,
					async (page) => {
						for (const summary of await page
							.locator("main summary:visible")
							.all())
							await summary.click();
						await page.waitForTimeout(300);
						assert.equal(
							await page
								.locator(
									"main script, main img, main iframe, main object, main embed",
								)
								.count(),
							0,
						);
						for (const href of await page
							.locator("main a")
							.evaluateAll((links) =>
								links.map((link) => link.getAttribute("href") ?? "/"),
							))
							assert.match(href, /^\//);
						if (path === "/problems")
							assert.ok(
								(await page.locator("main").innerText()).includes(HOSTILE[0]),
							);
						await mustBeFit(
							page,
							`mock-${fileName(path, "overview")}-hostile-dark-${width}`,
						);
					},
					{ scenario: "hostile", width },
				));
		}
	}
	for (const [index, id] of HOSTILE.entries()) {
		test(`a user called ${JSON.stringify(id.slice(0, 24))} can be looked up`, () =>
			on(
				"/features",
				async (page) => {
					await page.locator("input[type=search]").fill(id);
					await page.keyboard.press("Enter");
					const key = `user_features:${id.slice(0, 8)}`;
					await waitForText(page, "main", (text) => text.includes(key));
					assert.equal(
						decodeURIComponent(new URL(page.url()).pathname),
						`/features/${id}`,
					);
					assert.equal(
						await page.locator("input[type=search]").inputValue(),
						id,
					);
					// The address alone leads back to the same user.
					await page.reload();
					await settled(page);
					assert.equal(
						await page.locator("input[type=search]").inputValue(),
						id,
						`hostile id ${index} from the address`,
					);
					await mustBeFit(page, `mock-user-${index}-dark-360`);
				},
				{ width: 360 },
			));
	}
});

describe("the connection", () => {
	test("a banner shows a loss, and goes when the connection is back", () =>
		on("/", async (page) => {
			mock.refusesConnections = true;
			mock.drop();
			await page
				.locator(".banner", { hasText: "No connection since" })
				.waitFor();
			await page.screenshot({
				path: `${process.env.WINDROW_SCREENSHOTS ?? "/tmp"}/mock-lost-dark-1280.png`,
			});
			await page.waitForTimeout(1500);
			mock.refusesConnections = false;
			await page
				.locator(".banner", { hasText: "No connection since" })
				.waitFor({ state: "detached", timeout: 20_000 });
			const before = await page.locator(".figures").innerText();
			await waitForText(page, ".figures", (text) => text !== before);
			page.faults.length = 0; // the browser itself reports the refused connections
			await mustBeFit(page, "mock-healed-dark-1280");
		}).finally(() => (mock.refusesConnections = false)));

	test("without a login it goes to the login page, and the token in the address logs in", async () => {
		mock.token = "s3cret token";
		const page = await openPage(browser);
		try {
			await page.goto(`${mock.url}/login?failed#wrong`);
			assert.equal(await page.locator("#failed").isVisible(), true);
			assert.equal(await page.locator("#token").inputValue(), "wrong");
			assert.equal(
				page.url(),
				`${mock.url}/login`,
				"neither token nor failure stays in the address",
			);
			await mustBeFit(page, "mock-login-dark-1280");
			await page.goto(`${mock.url}/login#${encodeURIComponent(mock.token)}`);
			await page.reload();
			await page.goto(
				`${mock.url}/login#${encodeURIComponent(mock.token)}x`.slice(0, -1),
			);
			await page.locator("button[type=submit]").click();
			await page.waitForURL(`${mock.url}/`);
			await settled(page);
			await page.context().clearCookies();
			await page.locator(".nav a", { hasText: "Partitions" }).click();
			await page.waitForURL(/\/login$/);
		} finally {
			mock.token = null;
			await page.done();
		}
	});

	test("the login form works without JavaScript", async () => {
		mock.token = "s3cret";
		const page = await openPage(browser, { javaScriptEnabled: false });
		try {
			await page.goto(`${mock.url}/login`);
			await page.locator("#token").fill("s3cret");
			await page.locator("button[type=submit]").click();
			await page.waitForURL(`${mock.url}/`);
		} finally {
			mock.token = null;
			await page.done();
		}
	});

	test("a hidden tab asks for nothing", () =>
		on("/", async (page) => {
			assert.equal(mock.streams.size, 1);
			await page.evaluate(() => {
				Object.defineProperty(document, "hidden", {
					value: true,
					configurable: true,
				});
				document.dispatchEvent(new Event("visibilitychange"));
			});
			await page.waitForTimeout(300);
			assert.equal(mock.streams.size, 0);
			await page.evaluate(() => {
				Object.defineProperty(document, "hidden", {
					value: false,
					configurable: true,
				});
				document.dispatchEvent(new Event("visibilitychange"));
			});
			await page.waitForTimeout(300);
			assert.equal(mock.streams.size, 1);
		}));
});

describe("by keyboard", () => {
	test("Tab reaches everything on the overview, beginning with the skip link", () =>
		on("/", async (page) => {
			const seen = [];
			for (let i = 0; i < 30; i++) {
				await page.keyboard.press("Tab");
				const at = await page.evaluate(() => {
					const node = document.activeElement;
					if (!node || node === document.body) return null;
					const style = getComputedStyle(node);
					return {
						what:
							node.getAttribute("aria-label") ??
							node.textContent.trim().slice(0, 40),
						visible:
							style.outlineStyle !== "none" &&
							parseFloat(style.outlineWidth) > 0,
					};
				});
				if (at === null || at.what === seen[0]?.what) break;
				seen.push(at);
			}
			assert.equal(seen[0].what, "Skip to content");
			for (const wanted of [
				"Partitions",
				"Checkpoints",
				"Features",
				"Problems",
				"Pipeline",
				"Moment of the charts",
			]) {
				assert.ok(
					seen.some((each) => each.what === wanted),
					`${wanted} in ${seen.map((each) => each.what)}`,
				);
			}
			assert.ok(
				seen.every((each) => each.what === "" || each.visible),
				`focus is seen: ${JSON.stringify(seen.filter((each) => !each.visible))}`,
			);
		}));

	test("/ goes to the search, Escape empties it and leaves", () =>
		on("/", async (page) => {
			await page.keyboard.press("/");
			await page.waitForURL(/\/features$/);
			await page.locator("input[type=search]").waitFor();
			await page.keyboard.press("/");
			await page.keyboard.type("1/1");
			assert.equal(
				await page.locator("input[type=search]").inputValue(),
				"1/1",
			);
			await page.keyboard.press("Escape");
			assert.equal(await page.locator("input[type=search]").inputValue(), "");
			await page.keyboard.press("Escape");
			assert.equal(
				await page.evaluate(() => document.activeElement?.tagName),
				"BODY",
			);
		}));

	test("arrows move the moment of all four charts", () =>
		on("/", async (page) => {
			const slider = page.getByRole("slider");
			await slider.focus();
			await page.keyboard.press("Home");
			const first = (await slider.getAttribute("aria-valuetext")) ?? "";
			for (const word of ["Events/s", "Lag", "Watermark delay", "p50", "p99"])
				assert.ok(first.includes(word), first);
			await page.keyboard.press("PageUp");
			await page.keyboard.press("PageDown");
			assert.notEqual(await slider.getAttribute("aria-valuetext"), first);
			assert.equal(await page.locator(".chart-hair").isVisible(), true);
			await page.screenshot({
				path: `${process.env.WINDROW_SCREENSHOTS ?? "/tmp"}/mock-moment-dark-1280.png`,
				fullPage: true,
			});
			await page.keyboard.press("Escape");
			assert.equal(await page.locator(".chart-hair").isVisible(), false);
		}));

	test("a table is walked with arrows, sorted from its head, and a cell is copied", () =>
		on("/partitions", async (page) => {
			await page.locator("tbody td").first().focus();
			for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight"); // the owner
			await page.keyboard.press("Enter");
			await page.locator(".toast", { hasText: "Copied" }).waitFor();
			assert.match(
				await page.evaluate(() => navigator.clipboard.readText()),
				/^[0-9a-f]{16}$/,
			);
			const lag = page.locator("th", { hasText: "Lag" });
			await lag.locator("button").focus();
			await page.keyboard.press("Enter");
			assert.equal(await lag.getAttribute("aria-sort"), "descending");
			const lags = await page
				.locator("tbody tr td:nth-child(4)")
				.allInnerTexts();
			assert.equal(lags.at(-1), "0");
			await page.locator("input[type=search]").fill("features-2 idle");
			assert.equal(await page.locator("tbody tr").count(), 1);
		}));
});

describe("the use of the pages", () => {
	test("a savepoint: progress, its place, the command; and what to do after a failure", () =>
		on("/checkpoints", async (page) => {
			await page.locator("#savepoint-to").fill("/mnt/save points");
			await page.getByRole("button", { name: "Take savepoint" }).click();
			await page.getByText("of 4 partitions saved").waitFor();
			await page.getByText("Savepoint of 4 partitions taken").waitFor();
			assert.ok(
				(await page.locator(".savepoint-result").innerText()).includes(
					"windrow run --from '/mnt/save points/20261125 1041-77aa'",
				),
			);
			await mustBeFit(page, "mock-savepoint-dark-1280");
			await page.locator("#savepoint-to").fill("/forbidden");
			await page.getByRole("button", { name: "Take savepoint" }).click();
			await page.getByText("Permission denied").waitFor();
			assert.ok(
				(await page.locator(".savepoint-result").innerText()).includes(
					"try again",
				),
			);
		}));

	test("an open problem keeps its place, and new ones wait", () =>
		on("/problems", async (page) => {
			await page.locator("main summary:visible").nth(2).click();
			const before = await page
				.locator("details.entry[open] > summary .entry-where")
				.innerText();
			await page.locator(".held").waitFor({ timeout: 15_000 });
			assert.equal(
				await page.locator("details.entry").nth(2).getAttribute("open"),
				"",
				"the open one has not moved",
			);
			await page.locator(".held").click();
			assert.ok(
				(await page.locator("main").innerText()).includes(before.split(" ")[0]),
			);
		}));

	test("the theme is kept", () =>
		on("/", async (page) => {
			const ground = () =>
				page.evaluate(() => getComputedStyle(document.body).backgroundColor);
			const dark = await ground();
			await page.locator("[data-theme-toggle]").click(); // light
			assert.notEqual(await ground(), dark);
			await page.reload();
			assert.notEqual(await ground(), dark);
			await page.locator("[data-theme-toggle]").click(); // dark
			assert.equal(await ground(), dark);
		}));

	test("the instances of the job are listed", () =>
		on(
			"/",
			async (page) => {
				await page.locator("#instances > summary").click();
				await page.locator(".instance").nth(1).waitFor();
				assert.ok(
					(await page.locator(".instances-list").innerText()).includes(
						"this one",
					),
				);
				await mustBeFit(page, "mock-instances-dark-360");
				await page.keyboard.press("Escape");
				assert.equal(
					await page.locator("#instances").getAttribute("open"),
					null,
				);
			},
			{ width: 360 },
		));
});

test("a page that stays open does not grow", async () => {
	mock.messageMs = 20; // fifty messages a second: minutes become seconds
	try {
		for (const path of ["/", "/partitions", "/problems", "/features/111"]) {
			await on(path, async (page) => {
				const session = await page.context().newCDPSession(page);
				const size = async () => {
					await session.send("HeapProfiler.collectGarbage");
					const { nodes, jsEventListeners } = await session.send(
						"Memory.getDOMCounters",
					);
					return { nodes, jsEventListeners };
				};
				await page.waitForTimeout(2000);
				const first = await size();
				await page.waitForTimeout(6000);
				const last = await size();
				assert.ok(
					last.nodes < first.nodes * 1.1 + 100,
					`${path}: ${first.nodes} → ${last.nodes} nodes`,
				);
				assert.ok(
					last.jsEventListeners < first.jsEventListeners * 1.1 + 20,
					`${path}: ${first.jsEventListeners} → ${last.jsEventListeners} listeners`,
				);
			});
		}
	} finally {
		mock.messageMs = 1000;
	}
});
