// The use of the job's pages: by keyboard, over a lost connection, and for a long time.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mustBeFit, openPage, settled, waitForText } from "./browser.mjs";
import { MockSuite } from "./mock/suite.mjs";

const suite = new MockSuite();

describe("the connection", () => {
	test("a banner shows a loss, and goes when the connection is back", () =>
		suite
			.on("/", async (page) => {
				suite.mock.refusesConnections = true;
				suite.mock.drop();
				await page
					.locator(".banner", { hasText: "No connection since" })
					.waitFor();
				await page.screenshot({
					path: `${process.env.WINDROW_SCREENSHOTS ?? "/tmp"}/mock-lost-dark-1280.png`,
				});
				await page.waitForTimeout(1500);
				suite.mock.refusesConnections = false;
				await page
					.locator(".banner", { hasText: "No connection since" })
					.waitFor({ state: "detached", timeout: 20_000 });
				const before = await page.locator(".figures").innerText();
				await waitForText(page, ".figures", (text) => text !== before);
				page.faults.length = 0; // the browser itself reports the refused connections
				await mustBeFit(page, "mock-healed-dark-1280");
			})
			.finally(() => (suite.mock.refusesConnections = false)));

	test("without a login it goes to the login page, and the token in the address logs in", async () => {
		suite.mock.token = "s3cret token";
		const page = await openPage(suite.browser);
		try {
			await page.goto(`${suite.mock.url}/login?failed#wrong`);
			assert.equal(await page.locator("#failed").isVisible(), true);
			assert.equal(await page.locator("#token").inputValue(), "wrong");
			assert.equal(
				page.url(),
				`${suite.mock.url}/login`,
				"neither token nor failure stays in the address",
			);
			await mustBeFit(page, "mock-login-dark-1280");
			await page.goto(
				`${suite.mock.url}/login#${encodeURIComponent(suite.mock.token)}`,
			);
			await page.reload();
			await page.goto(
				`${suite.mock.url}/login#${encodeURIComponent(suite.mock.token)}x`.slice(
					0,
					-1,
				),
			);
			await page.locator("button[type=submit]").click();
			await page.waitForURL(`${suite.mock.url}/`);
			await settled(page);
			await page.context().clearCookies();
			await page.locator(".nav a", { hasText: "Partitions" }).click();
			await page.waitForURL(/\/login$/);
		} finally {
			suite.mock.token = null;
			await page.done();
		}
	});

	test("the login form works without JavaScript", async () => {
		suite.mock.token = "s3cret";
		const page = await openPage(suite.browser, { javaScriptEnabled: false });
		try {
			await page.goto(`${suite.mock.url}/login`);
			await page.locator("#token").fill("s3cret");
			await page.locator("button[type=submit]").click();
			await page.waitForURL(`${suite.mock.url}/`);
		} finally {
			suite.mock.token = null;
			await page.done();
		}
	});

	test("a hidden tab asks for nothing", () =>
		suite.on("/", async (page) => {
			assert.equal(suite.mock.streams.size, 1);
			await page.evaluate(() => {
				Object.defineProperty(document, "hidden", {
					value: true,
					configurable: true,
				});
				document.dispatchEvent(new Event("visibilitychange"));
			});
			await page.waitForTimeout(300);
			assert.equal(suite.mock.streams.size, 0);
			await page.evaluate(() => {
				Object.defineProperty(document, "hidden", {
					value: false,
					configurable: true,
				});
				document.dispatchEvent(new Event("visibilitychange"));
			});
			await page.waitForTimeout(300);
			assert.equal(suite.mock.streams.size, 1);
		}));
});

describe("by keyboard", () => {
	test("Tab reaches everything on the overview, beginning with the skip link", () =>
		suite.on("/", async (page) => {
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
		suite.on("/", async (page) => {
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
		suite.on("/", async (page) => {
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
		suite.on("/partitions", async (page) => {
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
		suite.on("/checkpoints", async (page) => {
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
		suite.on("/problems", async (page) => {
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
		suite.on("/", async (page) => {
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
		suite.on(
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
	suite.mock.messageMs = 20; // fifty messages a second: minutes become seconds
	try {
		for (const path of ["/", "/partitions", "/problems", "/features/111"]) {
			await suite.on(path, async (page) => {
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
		suite.mock.messageMs = 1000;
	}
});
