// The frame around the pages: which page is shown, its JSON, and the banner while Kafka is unreachable.

import { h, setAttr, setText } from "/assets/shared/dom.js";
import {
	fetchJson,
	isAbort,
	messageOf,
	statusOf,
} from "/assets/shared/fetch.js";
import {
	capitalize,
	formatTime,
	getBrowserZone,
	toSentence,
} from "/assets/shared/format.js";
import {
	elementById,
	focusSearchOnSlash,
	interceptLinks,
	matchRoute,
	showJsonUrl,
} from "/assets/shared/frame.js";
import { emptyState, icon, runOrShowFault } from "/assets/shared/widgets.js";
import * as group from "./pages/group.js";
import * as groups from "./pages/groups.js";
import * as messages from "./pages/messages.js";
import * as topic from "./pages/topic.js";
import * as topics from "./pages/topics.js";

/** @import { KafkaPage, KafkaPageContext, KafkaPageParams, PageView } from "/types/components.js" */
/** @import { ClusterAnswer } from "/types/kafka-api.js" */

/** @typedef {KafkaPage<never[]>} Page */

/**
 * @typedef {object} ShownPage
 * @property {Page} page
 * @property {KafkaPageParams} params
 * @property {HTMLElement} root
 * @property {PageView<never[]>} [view]
 * @property {AbortController} [request]
 * @property {boolean} [hasData]
 */

const RETRY_MS = 3000;

/** @type {[pattern: RegExp, page: Page][]} */
const ROUTES = [
	[/^\/$/, topics],
	[/^\/topics\/([^/]+)\/?$/, topic],
	[/^\/topics\/([^/]+)\/messages\/?$/, messages],
	[/^\/groups\/?$/, groups],
	[/^\/groups\/([^/]+)\/?$/, group],
];

const main = elementById("main");
/** @type {ShownPage | null} */
let current = null;
/** @type {number | undefined} */
let refreshTimer;
/** The fault that the banner shows. @type {{ since: number, fault: unknown } | null} */
let outage = null;

/**
 * Opens a path of these pages without a page load.
 * @param {string} path
 */
function navigate(path) {
	history.pushState(null, "", path);
	showPage();
	scrollTo(0, 0);
	main.focus({ preventScroll: true });
}

function closePage() {
	clearTimeout(refreshTimer);
	current?.request?.abort();
	try {
		current?.view?.close?.();
	} catch (fault) {
		console.warn("close", fault);
	}
	current = null;
	main.replaceChildren();
}

/** Shows the page of the address. */
function showPage() {
	closePage();
	const route = matchRoute(ROUTES, location.pathname);
	markCurrentLink(route !== null);
	if (!route) {
		showMissing("There is no such page");
		setTitle("Not found");
		return;
	}
	const { page, name } = route;
	const params = { name };
	setTitle(page.title(params));
	showJsonUrl(page.jsonUrls(params)[0]);
	const root = h("div", { class: "page" });
	main.append(root);
	/** @type {ShownPage} */
	const shown = { page, params, root };
	current = shown;
	/** @type {KafkaPageContext} */
	const context = {
		params,
		navigate,
		showJsonUrl,
		reportFault: (fault) => current === shown && reportFault(fault),
		clearFault,
	};
	runOrShowFault(root, () => {
		shown.view = page.mount(root, context);
	});
	refresh(shown);
}

/** @param {string} page */
function setTitle(page) {
	document.title = `${page} · Kafka · Windrow`;
}

/** @param {boolean} found */
function markCurrentLink(found) {
	const inGroups = location.pathname.startsWith("/groups");
	for (const link of document.querySelectorAll(".nav a")) {
		const href = link.getAttribute("href") ?? "";
		const here = found && inGroups === href.startsWith("/groups");
		setAttr(link, "aria-current", here ? "page" : null);
	}
}

/**
 * @param {string} title
 * @param {string[]} why
 */
function showMissing(title, ...why) {
	const link = h("a", { href: "/", "data-page": true, text: "topics" });
	main.replaceChildren(
		emptyState(title, ...why, h("p", null, "Begin at the ", link, ".")),
	);
}

/**
 * Requests the JSON of a page and updates it, again and again.
 * @param {ShownPage} shown
 */
async function refresh(shown) {
	clearTimeout(refreshTimer);
	if (current !== shown || document.hidden) return;
	const { page, params, root } = shown;
	let delay = page.refreshMs;
	shown.request = new AbortController();
	const { signal } = shown.request;
	try {
		const answers = await Promise.all(
			page.jsonUrls(params).map((url) => fetchJson(url, { signal })),
		);
		if (current !== shown) return;
		clearFault();
		shown.hasData = true;
		runOrShowFault(root, () =>
			shown.view?.update?.(.../** @type {never[]} */ (answers)),
		);
	} catch (fault) {
		if (current !== shown || isAbort(fault)) return;
		if (reportFault(fault)) return;
		delay = RETRY_MS;
	}
	clearTimeout(refreshTimer);
	if (delay > 0) refreshTimer = setTimeout(() => refresh(shown), delay);
}

/**
 * Shows a failed request; returns whether it is the end of the page.
 * @param {unknown} fault
 */
function reportFault(fault) {
	if (statusOf(fault) === 404) {
		clearFault();
		closePage();
		showMissing(
			"Not found",
			`${capitalize(messageOf(fault))}. It may have been deleted, or it is on another cluster.`,
		);
		return true;
	}
	outage = { since: outage?.since ?? Date.now(), fault };
	drawBanner();
	return false;
}

function clearFault() {
	outage = null;
	drawBanner();
}

/**
 * Returns what a fault means, and what to check.
 * @param {unknown} fault
 */
function describeFault(fault) {
	const status = statusOf(fault);
	if (status === 0)
		return [
			"The Kafka UI's server does not answer.",
			"Is windrow kafka-ui running? Trying again …",
		];
	const what = toSentence(messageOf(fault));
	return status === 503
		? [what, "Is Kafka running there? Trying again …"]
		: [what, "Trying again …"];
}

function drawBanner() {
	const box = elementById("banners");
	if (!outage) {
		box.replaceChildren();
		return;
	}
	const [what, todo] = describeFault(outage.fault);
	if (!box.firstChild)
		box.append(
			h(
				"div",
				{ class: "banner level-act" },
				icon("unreachable"),
				h(
					"p",
					null,
					h("span", { class: "visually-hidden", text: "Act: " }),
					h("strong"),
					" ",
					h("span", { class: "todo" }),
				),
			),
		);
	const [whatText, todoText] = box.querySelectorAll("strong, .todo");
	setText(whatText, what);
	setText(
		todoText,
		current?.hasData
			? `${todo} The values below are from before ${formatTime(outage.since)}.`
			: todo,
	);
}

interceptLinks("a[data-page], td a[href^='/']", (link) =>
	navigate(link.getAttribute("href") ?? "/"),
);
focusSearchOnSlash();
addEventListener("popstate", showPage);
document.addEventListener("visibilitychange", () => {
	if (document.hidden || !current) return;
	if (current.page.refreshMs > 0 || outage) refresh(current);
});

async function showAddresses() {
	/** @type {ClusterAnswer} */
	const { addresses } = await fetchJson("/api/cluster");
	setText(elementById("where"), `Kafka at ${addresses}`);
}

setText(elementById("zone"), `Times in ${getBrowserZone()}`);
showAddresses().catch((fault) => console.info("cluster", messageOf(fault)));
showPage();
