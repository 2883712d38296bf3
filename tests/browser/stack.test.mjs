// Both user interfaces on a running stack: real Kafka, real Redis, `windrow run` and `windrow kafka-ui`.
//
//   WINDROW_UI_URL   the job's pages, such as http://127.0.0.1:8081
//   KAFKA_UI_URL     the Kafka UI, such as http://127.0.0.1:8080; without it its tests are skipped
//   WINDROW_SEND     a shell command that sends its standard input as one record to the topic, with $1 as the key; without it
//                    the Kafka UI sends the records; without both their tests are skipped
//   WINDROW_REDIS    host:port of the job's Redis, into which a test writes a row; without it that test is skipped
//   WINDROW_TOKEN    the token, where the servers have one
//   WINDROW_SCREENSHOTS  a folder for screenshots

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import {
	fileName,
	LOOKS,
	mustBeFit,
	openPage,
	settled,
	startBrowser,
	uniqueText,
	waitForText,
} from "./browser.mjs";
import { DESCRIPTION, mustBeDescribed } from "./openapi.mjs";

/** @import { Browser } from "playwright-core" */
/** @import { Features, Overview, Partitions, Pipeline, Checkpoints, WrittenRows } from "/types/job-api.js" */
/** @import { Look, OpenPage } from "./browser.mjs" */

const JOB = (process.env.WINDROW_UI_URL ?? "").replace(/\/$/, "");
const KAFKA = (process.env.KAFKA_UI_URL ?? "").replace(/\/$/, "");
const SEND = process.env.WINDROW_SEND;
const REDIS = process.env.WINDROW_REDIS ?? "";
const TOKEN = process.env.WINDROW_TOKEN;
/** @type {Record<string, string>} */
const headers = TOKEN ? { authorization: `Bearer ${TOKEN}` } : {};

/** @type {Browser} */
let browser;
before(async () => {
	assert.ok(JOB, "WINDROW_UI_URL is the address of the job's pages");
	browser = await startBrowser();
});
after(() => browser?.close());

/**
 * Requests JSON from the stack, and checks that docs/openapi.json describes the answer.
 * @template Answer
 * @param {string} url
 * @returns {Promise<Answer>}
 */
async function ask(url) {
	const answer = await fetch(url, { headers });
	assert.equal(answer.status, 200, url);
	const body = await answer.json();
	mustBeDescribed("get", new URL(url).pathname, answer.status, body);
	return /** @type {Answer} */ (body);
}

/** @returns {Promise<Overview>} */
const askOverview = () => ask(`${JOB}/api/overview`);
/** @returns {Promise<Pipeline>} */
const askPipeline = () => ask(`${JOB}/api/pipeline`);
/** @returns {Promise<Partitions>} */
const askPartitions = () => ask(`${JOB}/api/partitions`);
/** @returns {Promise<Checkpoints>} */
const askCheckpoints = () => ask(`${JOB}/api/checkpoints`);
/** @returns {Promise<WrittenRows>} */
const askNewestRow = () => ask(`${JOB}/api/rows?limit=1`);
/** @returns {Promise<Features>} */
const askFeatures = () => ask(`${JOB}/api/features`);

/**
 * Opens a page of the stack for `work`, and closes it.
 * @param {string} base
 * @param {string} path
 * @param {(page: OpenPage) => Promise<void>} work
 * @param {Look} [look]
 */
async function on(base, path, work, look) {
	const page = await openPage(browser, look);
	try {
		if (TOKEN) {
			await page.goto(`${base}/login#${encodeURIComponent(TOKEN)}`);
			await page.locator("button[type=submit]").click();
			await page.waitForURL(`${base}/`);
		}
		await page.goto(base + path);
		await settled(page);
		await page.waitForTimeout(1200); // one more second of data
		return await work(page);
	} finally {
		await page.done();
	}
}

/**
 * Sends one record.
 * @param {string} key
 * @param {string} value
 */
async function send(key, value) {
	if (SEND) {
		const child = spawn("sh", ["-c", SEND, "send", key], {
			stdio: ["pipe", "inherit", "inherit"],
		});
		child.stdin.end(value);
		const code = await new Promise((done) => child.on("close", done));
		assert.equal(code, 0, `${SEND} ends with ${code}`);
		return;
	}
	const { job } = await askOverview();
	const answer = await fetch(
		`${KAFKA}/api/topics/${encodeURIComponent(job.topic)}/messages`,
		{
			method: "POST",
			headers: {
				...headers,
				"content-type": "application/json",
				origin: KAFKA,
			},
			body: JSON.stringify({ key, value }),
		},
	);
	assert.ok(answer.ok, `${answer.status}: ${await answer.text()}`);
}

/**
 * Sends one command to Redis.
 * @param {string[]} words
 */
function redis(...words) {
	const [host, port] = REDIS.split(":");
	return new Promise((done, failed) => {
		const socket = connect(Number(port), host, () =>
			socket.write(
				`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`,
			),
		);
		socket.once("data", (answer) => {
			socket.destroy();
			if (answer[0] === 45)
				failed(new Error(answer.toString())); // "-": an error
			else done(answer.toString());
		});
		socket.once("error", failed);
	});
}

/**
 * Returns an event with the fields that the shipped pipeline reads.
 * @param {string} user
 * @param {number} time
 */
async function event(user, time) {
	const { plan } = await askPipeline();
	return JSON.stringify({
		[plan.event.key]: user,
		[plan.event.time]: new Date(time).toISOString(),
		event_type: "view",
		price: 9.5,
	});
}

/**
 * Requests each described path of some tags, with `names` in place of the parameters in braces. A path with another
 * parameter needs a request before it, and is left out.
 * @param {string} base
 * @param {string[]} tags
 * @param {Record<string, string>} names
 */
async function askAll(base, tags, names) {
	const asked = [];
	for (const [template, item] of Object.entries(DESCRIPTION.paths)) {
		const path = template.replace(/\{(\w+)\}/g, (whole, name) =>
			encodeURIComponent(names[name] ?? whole),
		);
		const operation = item.get;
		if (!operation?.tags.some((tag) => tags.includes(tag))) continue;
		if (path.includes("%7B")) continue;
		if (operation.responses[200].content?.["text/event-stream"])
			await askStream(base, path);
		else await ask(base + path);
		asked.push(template);
	}
	return asked;
}

/**
 * Checks the first message of a stream.
 * @param {string} base
 * @param {string} path
 */
async function askStream(base, path) {
	const answer = await fetch(base + path, { headers });
	let text = "";
	for await (const chunk of answer.body ?? []) {
		text += Buffer.from(chunk).toString();
		const message = /^data: ?(.*)$/m.exec(
			text.slice(0, text.lastIndexOf("\n")),
		);
		if (!message) continue;
		mustBeDescribed("get", path, answer.status, JSON.parse(message[1]));
		return;
	}
	assert.fail(`${path} ends without a message`);
}

test("the answers of the job are as docs/openapi.json describes them", async () => {
	const { job } = await askOverview();
	const { jobs } = await ask(`${JOB}/v1/jobs/overview`);
	assert.equal(jobs[0].jid, job.id);
	const { vertices } = await ask(`${JOB}/jobs/${job.id}`);
	const asked = await askAll(JOB, ["job", "health", "flink"], {
		jobid: job.id,
		vertexid: vertices[0].id,
	});
	assert.ok(asked.length > 20, asked.join(" "));
});

test("the answers of the Kafka UI are as docs/openapi.json describes them", {
	skip: !KAFKA,
}, async () => {
	const { job } = await askOverview();
	const names = { topic: job.topic, group: job.group };
	const asked = await askAll(KAFKA, ["kafka-ui"], names);
	assert.equal(asked.length, 7, asked.join(" "));
});

describe("the job's pages", () => {
	for (const look of LOOKS) {
		for (const path of [
			"/",
			"/partitions",
			"/checkpoints",
			"/features",
			"/features/111",
			"/problems",
			"/pipeline",
		]) {
			test(`${path} ${look.theme} ${look.width} px`, () =>
				on(
					JOB,
					path,
					(page) =>
						mustBeFit(
							page,
							`stack-${fileName(path, "first")}-${look.theme}-${look.width}`,
						),
					look,
				));
		}
	}

	test("pages and JSON hold the same values", () =>
		on(JOB, "/", async (page) => {
			const said = await askOverview();
			assert.equal(await page.locator("#job-name").innerText(), said.job.name);
			assert.equal(
				(await page.locator(".state-word").innerText()).toLowerCase(),
				said.job.state,
			);
			assert.equal(
				await page.locator(".stage-views > .stage").count(),
				said.stages.filter((stage) => stage.kind === "feature_view").length,
			);
			await page.locator(".nav a", { hasText: "Partitions" }).click();
			await page.locator("tbody tr").first().waitFor();
			assert.equal(
				await page.locator("tbody tr").count(),
				(await askPartitions()).partitions.length,
			);
		}));

	test("numbers change by themselves", () =>
		on(JOB, "/partitions", async (page) => {
			const ages = () => page.locator("tbody").innerText();
			const first = await ages();
			await waitForText(page, "tbody", (text) => text !== first, 10_000);
		}));

	test("a savepoint taken from the page is in the list", () =>
		on(JOB, "/checkpoints", async (page) => {
			await page.getByRole("button", { name: "Take savepoint" }).click();
			await page
				.locator(".savepoint-result .level-well")
				.waitFor({ timeout: 90_000 });
			const place = await page
				.locator(".savepoint-done code")
				.first()
				.innerText();
			await page
				.locator(".savepoints .entry")
				.first()
				.waitFor({ timeout: 15_000 });
			assert.ok(
				(await askCheckpoints()).savepoints.some(
					(each) => each.place === place,
				),
				place,
			);
			await mustBeFit(page, "stack-savepoint-dark-1280");
		}));
});

describe("records sent by hand", { skip: !(SEND || KAFKA) }, () => {
	test("a dead letter is on Problems within 2 s, and stays text", () =>
		on(JOB, "/problems#dead_letters", async (page) => {
			const key = `<img src=x onerror=alert(1)>${uniqueText()}`;
			await send(key, `<script>alert(1)</script> ${key}`);
			const sent = Date.now();
			await page
				.locator("details.entry", { hasText: key.slice(0, 10) })
				.first()
				.waitFor({ timeout: 2000 });
			console.log(`  dead letter seen after ${Date.now() - sent} ms`);
			await page.locator("details.entry summary:visible").first().click();
			assert.ok(
				(await page.locator(".entry-body").innerText()).includes(
					"<script>alert(1)</script>",
				),
			);
			await mustBeFit(page, "stack-dead-letter-dark-1280");
		}));

	test("a late event is on Problems within 2 s", () =>
		on(JOB, "/problems#late_events", async (page) => {
			// Late is what comes after its windows closed: the watermark of every partition is days beyond this event.
			const user = `late-${uniqueText()}`;
			await send(user, await event(user, Date.now() - 30 * 86_400_000));
			const sent = Date.now();
			await page
				.locator("details.entry", { hasText: user.slice(0, 12) })
				.first()
				.waitFor({ timeout: 2000 });
			console.log(`  late event seen after ${Date.now() - sent} ms`);
			await mustBeFit(page, "stack-late-event-dark-1280");
		}));
});

describe("Features", () => {
	test("a user's row is on the page within 1 s of being in Redis", () =>
		on(JOB, "/features", async (page) => {
			// The newest row that the job itself wrote; its user is looked up as a person would.
			let row;
			for (let i = 0; i < 60 && !row; i++) {
				row = (await askNewestRow()).rows[0];
				if (!row) await page.waitForTimeout(1000);
			}
			assert.ok(row, "the job writes rows");
			const { key_field: keyField } = await askFeatures();
			const user = row.fields.find(([name]) => name === keyField)?.[1] ?? "";
			await page.keyboard.press("/");
			await page.keyboard.type(user);
			await page.keyboard.press("Enter");
			await page.locator(".card").first().waitFor({ timeout: 1000 });
			assert.ok(
				(await page.locator(".views").innerText()).includes(row.feature_view),
			);
			await mustBeFit(page, "stack-user-dark-1280");
		}));

	test("what is put into Redis is on an open page within 1 s", {
		skip: !REDIS,
	}, async () => {
		const { plan } = await askPipeline();
		const view = plan.feature_views.find((each) =>
			/^[^{}]*\{[^{}]*\}$/.test(each.key),
		);
		assert.ok(view, "a view with one row per user");
		const user = `browser-${uniqueText()}`;
		const key = view.key.replace(/\{[^{}]*\}/, user);
		const name = view.features[0].name;
		try {
			await on(JOB, `/features/${user}`, async (page) => {
				await page.getByText(`Redis holds no row for ${user}`).waitFor();
				/** @type {number[]} */
				const took = [];
				for (let i = 0; i < 5; i++) {
					const value = String(1000 + i);
					await redis("HSET", key, name, value);
					await redis("EXPIRE", key, "60");
					const put = Date.now();
					await page.waitForFunction(
						(wanted) =>
							[...document.querySelectorAll(".field-value")].some((shown) =>
								shown.getAttribute("title")?.startsWith(`${wanted}\n`),
							),
						value,
						{ timeout: 5000, polling: 20 },
					);
					took.push(Date.now() - put);
					await page.waitForTimeout(300 + 170 * i); // at another moment of the page's second
				}
				console.log(`  seen after ${took.join(", ")} ms`);
				// The page is told once a second: typically half of that, and the browser has to draw it.
				assert.ok(took.toSorted((a, b) => a - b)[2] < 1000, `${took}`);
			});
		} finally {
			await redis("DEL", key);
		}
	});
});

describe("the Kafka UI", { skip: !KAFKA }, () => {
	let topic = "";
	before(async () => {
		if (KAFKA) topic = (await askOverview()).job.topic;
	});
	for (const look of LOOKS) {
		for (const path of [
			"/",
			"/topics/TOPIC",
			"/topics/TOPIC/messages",
			"/groups",
		]) {
			test(`${path} ${look.theme} ${look.width} px`, () =>
				on(
					KAFKA,
					path.replace("TOPIC", encodeURIComponent(topic)),
					(page) =>
						mustBeFit(
							page,
							`kafka-${fileName(path, "first")}-${look.theme}-${look.width}`,
						),
					look,
				));
		}
	}
});
