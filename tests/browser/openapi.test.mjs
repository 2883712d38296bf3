// The made-up answers of the mock, and Flink's answers in the snapshots of the Rust tests, are as docs/openapi.json
// describes them. stack.test.mjs checks the same of a real job, and the Rust tests that every route is described.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { MOCK_PATHS, startMock } from "./mock/server.mjs";
import { UNKNOWN_USER } from "./mock/state.mjs";
import { DESCRIPTION, describedPath, mustBeDescribed } from "./openapi.mjs";

/** @import { MockServer } from "./mock/server.mjs" */
/** @import { Scenario } from "./mock/state.mjs" */

const SNAPSHOTS = new URL(
	"../../crates/web/tests/flink/snapshots/",
	import.meta.url,
);

/** @type {MockServer} */
let mock;
before(async () => {
	mock = await startMock();
	mock.messageMs = 10;
});
after(() => mock?.close());

/**
 * Requests a path of the mock, and checks the answer.
 * @param {string} path
 * @param {RequestInit} [options]
 */
async function ask(path, options = {}) {
	const answer = await fetch(mock.url + path, options);
	const body = await answer.json();
	const method = (options.method ?? "get").toLowerCase();
	mustBeDescribed(method, path.replace(/\?.*/, ""), answer.status, body);
	return body;
}

/**
 * Checks the first messages of a stream.
 * @param {string} path
 * @param {number} count
 */
async function follow(path, count) {
	const answer = await fetch(mock.url + path);
	let text = "";
	let checked = 0;
	for await (const chunk of answer.body ?? []) {
		text += Buffer.from(chunk).toString();
		const messages = text.split("\n\n");
		text = messages.pop() ?? "";
		for (const message of messages) {
			const value = JSON.parse(message.replace(/^data: /, ""));
			mustBeDescribed("get", path.replace(/\?.*/, ""), 200, value);
			checked += 1;
		}
		if (checked >= count) break;
	}
	assert.ok(checked >= count, `${path} has ${checked} messages`);
}

describe("the mock answers as described", () => {
	for (const scenario of /** @type {Scenario[]} */ ([
		"calm",
		"busy",
		"empty",
		"broken",
		"hostile",
	])) {
		for (const path of MOCK_PATHS) {
			test(`${path}, ${scenario}`, async () => {
				mock.scenario = scenario;
				await ask(path);
				if (path === "/api/features") {
					await ask("/api/features?user=111");
					await ask(`/api/features?user=${UNKNOWN_USER}`);
				}
				if (path === "/api/overview") await ask("/api/overview?history=false");
				if (describedPath(`${path}/live`)) await follow(`${path}/live`, 2);
			});
		}
	}

	test("savepoints and faults", async () => {
		mock.scenario = "calm";
		for (const [to, end] of [
			[null, "completed"],
			["/forbidden", "failed"],
		]) {
			const { request } = await ask("/api/savepoints", {
				method: "POST",
				body: JSON.stringify({ to }),
			});
			let progress = await ask(`/api/savepoints/${request}`);
			while (progress.status === "in_progress")
				progress = await ask(`/api/savepoints/${request}`);
			assert.equal(progress.status, end);
		}
		mock.token = "token";
		try {
			assert.deepEqual(Object.keys(await ask("/api/overview")), ["errors"]);
		} finally {
			mock.token = null;
		}
	});

	test("it has all answers of a page", () => {
		const pages = Object.keys(DESCRIPTION.paths)
			.filter((path) => path.endsWith("/live"))
			.map((path) => path.slice(0, -"/live".length));
		assert.deepEqual(
			pages.filter((path) => !MOCK_PATHS.includes(path)),
			[],
		);
	});
});

describe("Flink's answers are as described", () => {
	for (const name of readdirSync(SNAPSHOTS)) {
		test(name, () => {
			const [, request, body] =
				/\n---\nGET (\S+)\n(.*)$/s.exec(
					readFileSync(new URL(name, SNAPSHOTS), "utf8"),
				) ?? [];
			assert.ok(request, `${name} holds an answer`);
			mustBeDescribed(
				"get",
				request.replace(/\?.*/, ""),
				200,
				JSON.parse(body),
			);
		});
	}
});
