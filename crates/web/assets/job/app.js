// The frame around the pages: which page is shown, its data, and the connection. A fault in a page leaves the frame working.

import { h, setAttr, setText } from "/assets/shared/dom.js";
import { fetchJson, messageOf, statusOf } from "/assets/shared/fetch.js";
import {
	getBrowserZone,
	getEventZone,
	setEventZone,
} from "/assets/shared/format.js";
import {
	elementById,
	focusSearchOnSlash,
	interceptLinks,
	matchRoute,
	showJsonUrl,
} from "/assets/shared/frame.js";
import { LiveStream } from "/assets/shared/live.js";
import {
	actionButton,
	emptyState,
	runOrShowFault,
} from "/assets/shared/widgets.js";
import { createBanners } from "./banners.js";
import { createHeader } from "./header.js";
import * as checkpoints from "./pages/checkpoints.js";
import * as features from "./pages/features.js";
import * as overview from "./pages/overview.js";
import * as partitions from "./pages/partitions.js";
import * as pipeline from "./pages/pipeline.js";
import * as problems from "./pages/problems.js";

/** @import { JobPage, JobPageContext, JobPageParams, PageView } from "/types/components.js" */
/** @import { Attention, Overview, Pipeline, PipelinePlan } from "/types/job-api.js" */

/** An answer of any page: each page knows its own. @typedef {Partial<Overview>} Answer */
/** @typedef {JobPage<never>} Page */

/**
 * @typedef {object} ShownPage
 * @property {Page} page
 * @property {string} title
 * @property {string} jsonUrl
 * @property {HTMLElement} root
 * @property {PageView<[never]>} [view]
 * @property {LiveStream<Answer>} [stream]
 */

/** The header's data is asked for this often where the page has no stream of it. */
const HEADER_MS = 5000;

/** @type {[pattern: RegExp, page: Page][]} */
const ROUTES = [
	[/^\/$/, overview],
	[/^\/partitions\/?$/, partitions],
	[/^\/checkpoints\/?$/, checkpoints],
	[/^\/features(?:\/(.*))?$/, features],
	[/^\/problems\/?$/, problems],
	[/^\/pipeline\/?$/, pipeline],
];

const main = elementById("main");
const header = createHeader();
const banners = createBanners(() => {
	if (current?.stream) current.stream.retry();
	else showPage();
});

/** @type {ShownPage | null} */
let current = null;
/** @type {Overview | null} */
let newestOverview = null;
/** @type {PipelinePlan | null} */
let plan = null;
/** @type {number | undefined} */
let headerTimer;

// Pages

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
	current?.stream?.close();
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
	markCurrentLink(location.pathname);
	const route = matchRoute(ROUTES, location.pathname);
	if (!route) {
		showMissingPage();
		return;
	}
	const { page, name } = route;
	const params = { user: name };
	const root = h("div", { class: "page" });
	main.append(root);
	const shown = {
		page,
		root,
		title: page.title(params),
		jsonUrl: page.jsonUrl(params),
	};
	current = shown;
	showJsonUrl(shown.jsonUrl);
	setTitle(shown.title);
	mountPage(shown, params);
	if (page.live === false) loadPage(shown);
	else followPage(shown);
	pollHeader();
}

function showMissingPage() {
	const link = h("a", { href: "/", "data-page": true, text: "overview" });
	main.append(
		emptyState(
			"There is no such page",
			h("p", null, "Begin at the ", link, "."),
		),
	);
	setTitle("Not found");
}

/** @param {string} path */
function markCurrentLink(path) {
	for (const link of document.querySelectorAll(".nav a")) {
		if (!(link instanceof HTMLAnchorElement)) continue;
		const { pathname } = link;
		const here = pathname === "/" ? path === "/" : path.startsWith(pathname);
		setAttr(link, "aria-current", here ? "page" : null);
		// Only the row of links scrolls, not the page: scrollIntoView would scroll both.
		const row = link.parentElement;
		if (here && row) row.scrollLeft = link.offsetLeft - row.offsetLeft - 40;
	}
}

/** @param {string} page */
function setTitle(page) {
	const job = newestOverview?.job;
	const state = job && job.state !== "running" ? job.state : null;
	document.title = [state, page, job?.name, "Windrow"]
		.filter(Boolean)
		.join(" · ");
}

/**
 * @param {ShownPage} shown
 * @param {JobPageParams} params
 */
function mountPage(shown, params) {
	/** @type {JobPageContext} */
	const context = {
		params,
		navigate,
		plan: () => plan,
		overview: () => newestOverview,
	};
	runOrShowFault(shown.root, () => {
		shown.view = shown.page.mount(shown.root, context);
	});
}

/**
 * @param {ShownPage} shown
 * @param {Answer} answer
 */
function updatePage(shown, answer) {
	if (current !== shown) return;
	runOrShowFault(shown.root, () =>
		shown.view?.update?.(/** @type {never} */ (answer)),
	);
}

/**
 * Loads the JSON of a page once.
 * @param {ShownPage} shown
 */
async function loadPage(shown) {
	try {
		updatePage(shown, await fetchJson(shown.jsonUrl));
	} catch (fault) {
		if (current !== shown) return;
		shown.root.replaceChildren(
			emptyState(
				"This page could not be loaded",
				messageOf(fault),
				h("p", null, actionButton("Try again", showPage)),
			),
		);
	}
}

/**
 * Follows the stream of a page. Several messages between two frames are drawn once.
 * @param {ShownPage} shown
 */
function followPage(shown) {
	/** @type {Answer | null} */
	let pending = null;
	/** @param {Answer} message */
	function draw(message) {
		if (pending === null)
			requestAnimationFrame(() => {
				const newest = pending;
				pending = null;
				if (newest) updatePage(shown, newest);
			});
		// Most messages have no history; a message not drawn yet keeps its own.
		pending = { ...message, history: message.history ?? pending?.history };
	}
	shown.stream = new LiveStream({
		url: shown.jsonUrl.replace(/^([^?]*)/, "$1/live"),
		jsonUrl: shown.jsonUrl,
		onMessage(message) {
			if (current !== shown) return;
			if (shown.page === overview)
				updateFrame(/** @type {Overview} */ (message));
			else if (message.attention) updateAttention(message.attention);
			draw(message);
		},
		onState(state, retryAtMs) {
			if (current === shown) banners.setConnection(state, retryAtMs);
		},
	});
}

// The frame: the overview's own stream brings its data, other pages ask for it

/** @param {Overview} data */
function updateFrame(data) {
	newestOverview = data;
	runOrShowFault(elementById("banners"), () => {
		header.update(data);
		updateAttention(data.attention);
		if (current) setTitle(current.title);
	});
}

/** @param {Attention[]} attention */
function updateAttention(attention) {
	banners.setAttention(attention);
}

async function pollHeader() {
	clearTimeout(headerTimer);
	if (document.hidden || current?.page === overview) return;
	try {
		updateFrame(await fetchJson("/api/overview?history=false"));
		if (!current?.stream) banners.setConnection("live");
	} catch (fault) {
		if (!current?.stream && statusOf(fault) === 0)
			banners.setConnection("lost", Date.now() + HEADER_MS);
	}
	clearTimeout(headerTimer);
	if (current?.page !== overview)
		headerTimer = setTimeout(pollHeader, HEADER_MS);
}

/** Loads what stays the same while the process runs: the plan, and with it the zone of event times. */
async function loadPlan() {
	/** @type {Pipeline} */
	const answer = await fetchJson("/api/pipeline");
	plan = answer.plan;
	setEventZone(plan.event.time_zone ?? "UTC");
	const [browserZone, eventZone] = [getBrowserZone(), getEventZone()];
	setText(
		elementById("zone"),
		browserZone === eventZone
			? `Times in ${browserZone}`
			: `Times in ${browserZone}; event times also in ${eventZone}`,
	);
}

interceptLinks("a[data-page]", (link) => {
	if (link.href === location.href) main.focus({ preventScroll: true });
	else navigate(link.getAttribute("href") ?? "/");
});
focusSearchOnSlash(() => navigate("/features"));
addEventListener("popstate", showPage);
document.addEventListener("visibilitychange", pollHeader);
loadPlan().catch((fault) => console.info("plan", messageOf(fault)));
showPage();
