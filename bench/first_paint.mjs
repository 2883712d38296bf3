// Measures how soon headless Chromium paints pages, in turns with a page that is only a form.
//
//   npm ci --prefix tests/browser --ignore-scripts && node bench/first_paint.mjs [ROUNDS (10)]
//
// The server is the mock of the browser tests, which answers at once: the times are the browser's own work.

import { openPage, settled, startBrowser } from "../tests/browser/browser.mjs";
import { startMock } from "../tests/browser/mock/server.mjs";

const rounds = Number(process.argv[2] ?? 10);
/** @type {Record<string, number[]>} */
const took = { "/": [], "/features/111": [], "/login": [] };
const browser = await startBrowser();
const mock = await startMock();
for (let round = 0; round < rounds; round++) {
	for (const path of Object.keys(took)) {
		const page = await openPage(browser);
		await page.goto(mock.url + path);
		await settled(page);
		took[path].push(
			await page.evaluate(
				() =>
					performance.getEntriesByName("first-contentful-paint")[0].startTime,
			),
		);
		await page.done();
	}
}
await browser.close();
await mock.close();
console.log("first contentful paint, ms      best  median");
for (const [path, times] of Object.entries(took)) {
	times.sort((a, b) => a - b);
	const [best, median] = [times[0], times[Math.floor(times.length / 2)]].map(
		(each) => each.toFixed(0).padStart(7),
	);
	console.log(path.padEnd(28) + best + median);
}
