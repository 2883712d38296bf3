// The job's pages with hostile values from records, and with a Redis that answers slowly or not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileName, mustBeFit, settled, waitForText } from "./browser.mjs";
import { HOSTILE, UNKNOWN_USER } from "./mock/state.mjs";
import { MockSuite } from "./mock/suite.mjs";

const suite = new MockSuite();

describe("a Redis that is still being looked through", () => {
	for (const [user, row] of [
		["111", true],
		[UNKNOWN_USER, false],
	]) {
		test(`${user}: the page shows the search, and does not claim that there is no row`, () =>
			suite.on(
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
	suite.on(
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
				suite.on(
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
			suite.on(
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
