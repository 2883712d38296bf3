// A browser and the stand-in of the job's web server for one file of tests.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { openPage, settled, startBrowser } from "../browser.mjs";
import { startMock } from "./server.mjs";

/** @import { Browser } from "playwright-core" */
/** @import { Look, OpenPage } from "../browser.mjs" */
/** @import { MockServer } from "./server.mjs" */
/** @import { Scenario } from "./state.mjs" */

/** Starts a browser and a mock before the tests of the file, and stops them after the last one. */
export class MockSuite {
	/** @type {Browser | undefined} */
	#browser;
	/** @type {MockServer | undefined} */
	#mock;

	constructor() {
		before(async () => {
			this.#browser = await startBrowser();
			this.#mock = await startMock();
		});
		after(async () => {
			await this.#browser?.close();
			await this.#mock?.close();
		});
	}

	get browser() {
		assert.ok(this.#browser, "the browser starts before the first test");
		return this.#browser;
	}

	get mock() {
		assert.ok(this.#mock, "the mock starts before the first test");
		return this.#mock;
	}

	/**
	 * Opens a page of the mock for `work`, and closes it.
	 * @param {string} path
	 * @param {(page: OpenPage) => Promise<void>} work
	 * @param {Look & { scenario?: string }} [options]
	 */
	async on(path, work, { scenario = "calm", ...look } = {}) {
		this.mock.scenario = /** @type {Scenario} */ (scenario);
		const page = await openPage(this.browser, look);
		try {
			await page.goto(this.mock.url + path);
			await settled(page);
			return await work(page);
		} finally {
			await page.done();
		}
	}
}
