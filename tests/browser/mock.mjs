// A stand-in for a job's web server: it serves the pages' files and changing, made-up JSON in the shapes of docs/rest_api.md.
// For work on the pages, and for tests of rare states: hostile values, empty and broken jobs. It proves nothing about the
// real server. To look at it: node mock.mjs [PORT] [calm|busy|empty|broken|hostile]

import { startMock } from "./mock/server.mjs";

/** @import { Scenario } from "./mock/state.mjs" */

const [port = "8099", scenario = "calm"] = process.argv.slice(2);
const mock = await startMock({
	port: Number(port),
	scenario: /** @type {Scenario} */ (scenario),
});
console.log(`${mock.url} (${mock.scenario})`);
