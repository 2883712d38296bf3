// The use of the Kafka UI on a real Kafka.
//
//   KAFKA_UI_URL     the Kafka UI, such as http://127.0.0.1:8080 (no token)
//   KAFKA_UI_TOPIC   a topic of several partitions with records; the tests add some [default: ecommerce-events]

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
	LOOKS,
	mustBeFit,
	openPage,
	overlapping,
	settled,
	startBrowser,
	uniqueText,
	waitForText,
} from "./browser.mjs";

/** @import { Browser, Page } from "playwright-core" */
/** @import { Look, OpenPage } from "./browser.mjs" */

const KAFKA = process.env.KAFKA_UI_URL?.replace(/\/$/, "");
const TOPIC = process.env.KAFKA_UI_TOPIC ?? "ecommerce-events";
const API = `${KAFKA}/api/topics/${encodeURIComponent(TOPIC)}`;
const MESSAGES = `/topics/${encodeURIComponent(TOPIC)}/messages`;

/** @type {Browser} */
let browser;
before(async () => {
	assert.ok(KAFKA, "KAFKA_UI_URL is the address of the Kafka UI");
	browser = await startBrowser();
});
after(() => browser?.close());

/**
 * Opens a page of the Kafka UI for `work`, and closes it.
 * @param {string} path
 * @param {(page: OpenPage) => Promise<void>} work
 * @param {Look} [look]
 */
async function on(path, work, look) {
	const page = await openPage(browser, look);
	try {
		await page.goto(KAFKA + path);
		await settled(page);
		return await work(page);
	} finally {
		await page.done();
	}
}

/** @param {{ key: string, value: string }} record */
async function send(record) {
	const answer = await fetch(`${API}/messages`, {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: JSON.stringify(record),
	});
	assert.equal(answer.status, 201, await answer.clone().text());
	return answer.json();
}

/** @param {Page} page */
const records = (page) => page.locator("details.record");
/** @param {Page} page */
const status = (page) => page.locator(".message-status > span").first();

describe("the Kafka UI", () => {
	for (const look of LOOKS) {
		test(`a record and the dialog to send one, ${look.theme} ${look.width} px`, () =>
			on(
				`${MESSAGES}?limit=25`,
				async (page) => {
					await records(page).first().locator("summary").click();
					await mustBeFit(page, `kafka-record-${look.theme}-${look.width}`);
					await page.getByRole("button", { name: "Send a record" }).click();
					await mustBeFit(page, `kafka-send-${look.theme}-${look.width}`);
				},
				look,
			));
	}

	for (const width of [1280, 721, 360]) {
		test(`records of another day carry their date, ${width} px`, () =>
			on(
				`${MESSAGES}?limit=25`,
				async (page) => {
					await records(page).first().locator("summary").click();
					assert.match(
						await records(page).first().innerText(),
						/\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}/,
					);
					// After years a topic is at offsets that no test reaches.
					await page.evaluate(() => {
						for (const place of document.querySelectorAll(".record-place"))
							place.lastChild?.replaceWith("128400211000");
					});
					assert.deepEqual(await overlapping(page, ".record > summary"), []);
					await mustBeFit(page, `kafka-past-dark-${width}`);
				},
				{ width, ahead: 2 * 86_400_000 },
			));
	}

	test("from the topics to a topic with the keyboard alone", () =>
		on("/", async (page) => {
			await page.locator("tbody a").first().waitFor();
			await page.keyboard.press("/");
			await page.keyboard.type(TOPIC);
			await page.keyboard.press("Enter");
			await page.waitForURL(`**/topics/${encodeURIComponent(TOPIC)}`);
			const topic = await (await fetch(API)).json();
			await page.locator("h2", { hasText: "Partitions" }).waitFor();
			await page
				.locator('table[aria-label="Partitions"] tbody tr')
				.nth(topic.partitions - 1)
				.waitFor();
		}));

	test("older and newer lead there and back, and so does the browser", () =>
		on(`${MESSAGES}?limit=25`, async (page) => {
			const places = () => page.locator(".record-place").allInnerTexts();
			await records(page).nth(24).waitFor();
			const first = await places();
			await page.getByRole("button", { name: "Older" }).first().click();
			await waitForText(page, ".record-place", (text) => text !== first[0]);
			const second = await places();
			assert.equal(
				second.filter((place) => first.includes(place)).length,
				0,
				"no record twice",
			);
			await page.goBack();
			await waitForText(page, ".record-place", (text) => text !== second[0]);
			assert.ok(
				page.url().includes("limit=25") && !page.url().includes("before"),
				page.url(),
			);
		}));

	test("a record is sent, found again by its text, and stays text", () =>
		on(MESSAGES, async (page) => {
			const mark = uniqueText();
			const hostile = `<script>alert("${mark}")</script><img src=x onerror=alert(1)>`;
			await page.getByRole("button", { name: "Send a record" }).click();
			assert.ok(
				(await page.locator(".send-warning").innerText()).startsWith(
					"Without a key",
				),
				"a warning where there is no key",
			);
			await page.locator("dialog input[name=key]").fill(hostile);
			assert.equal(
				(await page.locator(".send-warning").innerText()).trim(),
				"",
			);
			await page
				.locator("dialog textarea")
				.fill(
					JSON.stringify({ html: hostile, n: "9007199254740993" }).replace(
						'"9007199254740993"',
						"9007199254740993",
					),
				);
			await page.getByRole("button", { name: "Add a header" }).click();
			await page.getByLabel("Header name").fill(hostile);
			await page.getByLabel("Header value").fill(hostile);
			await page.getByRole("button", { name: "Send", exact: true }).click();
			await page.locator("dialog .notice.level-well").waitFor();
			const where = await page.locator("dialog .notice").innerText();
			await page.getByRole("button", { name: "Close" }).click();
			await page.getByLabel("Contains").fill(mark);
			await page.getByRole("button", { name: "Show" }).click();
			await records(page).first().waitFor();
			await waitForText(page, ".message-status", (text) =>
				/^1 record, .* looked at/.test(text),
			);
			const [partition, offset] = (
				await page.locator(".record-place").innerText()
			)
				.split(":")
				.map((part) => part.trim());
			assert.ok(
				where.includes(`partition ${partition} at offset ${offset}`),
				`${where} / ${partition}:${offset}`,
			);
			await records(page).first().locator("summary").click();
			await page.locator(".entry-body h3").nth(2).waitFor();
			const body = await page.locator(".entry-body").innerText();
			assert.ok(
				body.includes(hostile) && body.includes("9007199254740993"),
				body,
			);
			await mustBeFit(page, "kafka-hostile-dark-1280");
		}));

	test("a record that comes is on the page while it follows", () =>
		on(MESSAGES, async (page) => {
			const mark = uniqueText();
			await page.getByLabel("Contains").fill(mark);
			await page.getByRole("button", { name: "Follow live" }).click();
			await waitForText(page, ".message-status", (text) =>
				text.startsWith("Following"),
			);
			await page.waitForTimeout(1500); // until the stream has begun
			await send({ key: "k", value: mark });
			await records(page).first().waitFor({ timeout: 5000 });
			assert.equal(await records(page).count(), 1);
			await page.getByRole("button", { name: "Pause" }).click();
			await send({ key: "k", value: mark });
			await waitForText(page, ".message-status", (text) =>
				/1 since the pause/.test(text),
			);
			assert.equal(await records(page).count(), 1);
			await page.getByRole("button", { name: "Continue" }).click();
			await records(page).nth(1).waitFor();
			await page.getByRole("button", { name: "Stop following" }).click();
			assert.ok((await status(page).innerText()).startsWith("Stopped"));
			await mustBeFit(page, "kafka-followed-dark-1280");
		}));

	test("a search without hits shows that, and what to do", () =>
		on(`${MESSAGES}?contains=${uniqueText()}`, async (page) => {
			await page
				.locator(".empty strong", { hasText: "Nothing found" })
				.waitFor({ timeout: 60_000 });
			await mustBeFit(page, "kafka-nothing-dark-1280");
		}));

	test("unknown names are reported as such, and stay text", async () => {
		for (const path of [
			"/topics/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
			"/groups/a%2Fb%22%3E%3Cscript%3E",
			`/topics/no.such/messages`,
		]) {
			await on(path, async (page) => {
				await page.locator(".empty").waitFor();
				const faults = page.faults.filter((fault) => !/404/.test(fault));
				assert.deepEqual(faults, [], path);
			});
		}
	});

	test("a banner shows while the server is unreachable, and no longer", () =>
		on("/", async (page) => {
			await page.locator("tbody a").first().waitFor();
			await page.route("**/api/**", (route) =>
				route.fulfill({
					status: 503,
					contentType: "application/json",
					body: '{"errors":["Kafka at <b>x</b> does not answer"]}',
				}),
			);
			await page
				.locator(".banner", { hasText: "Kafka at <b>x</b> does not answer." })
				.waitFor({ timeout: 15_000 });
			assert.ok(
				(await page.locator("tbody a").count()) > 0,
				"what was known is still there",
			);
			await page.unroute("**/api/**");
			await page
				.locator(".banner")
				.waitFor({ state: "detached", timeout: 15_000 });
		}));
});
