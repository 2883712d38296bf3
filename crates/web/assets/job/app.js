// The frame around the pages: which page is shown, the header, banners, and the connection.
// Each page is a module with `title`, `twin(params)` (the URL of its JSON) and `mount(root, context)`, which returns
// `{ update(data), close() }`. A fault in a page leaves the frame working, and the other way round.

import {
	guarded,
	h,
	icon,
	keyed,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	exact,
	eventZoneName,
	plural,
	setEventZone,
	span,
	time,
	timeExact,
	viewerZone,
} from "/assets/shared/format.js";
import { find, follow } from "/assets/shared/frame.js";
import { fetchJson, live } from "/assets/shared/live.js";
import * as overview from "./pages/overview.js";
import * as partitions from "./pages/partitions.js";
import * as checkpoints from "./pages/checkpoints.js";
import * as features from "./pages/features.js";
import * as problems from "./pages/problems.js";
import * as pipeline from "./pages/pipeline.js";

const HEADER_MS = 5000;
const $ = (id) => document.getElementById(id);
const main = $("main");

const ROUTES = [
	[/^\/$/, overview],
	[/^\/partitions\/?$/, partitions],
	[/^\/checkpoints\/?$/, checkpoints],
	[/^\/features(?:\/(.*))?$/, features],
	[/^\/problems\/?$/, problems],
	[/^\/pipeline\/?$/, pipeline],
];

let current = null; // { path, view, stream, page }
let job = null; // the newest overview
let connection = { state: "opening", since: null, retryAt: null };
let headerTimer = null;
let plan = null;

// Where we are

/** Goes to a path of these pages without loading anew. */
export function navigate(path, { replace = false } = {}) {
	history[replace ? "replaceState" : "pushState"](null, "", path);
	show(true);
}

function show(moved) {
	current?.stream?.close();
	try {
		current?.view?.close?.();
	} catch (fault) {
		console.warn("close", fault);
	}
	current = null;
	main.replaceChildren();
	if (moved) scrollTo(0, 0);
	const path = location.pathname;
	const found = find(ROUTES, path);
	for (const link of document.querySelectorAll(".nav a")) {
		const here =
			link.pathname === "/" ? path === "/" : path.startsWith(link.pathname);
		setAttr(link, "aria-current", here ? "page" : null);
		// Only the row of links scrolls, not the page: scrollIntoView would do both.
		if (here)
			link.parentNode.scrollLeft =
				link.offsetLeft - link.parentNode.offsetLeft - 40;
	}
	if (!found) {
		main.append(
			h(
				"div",
				{ class: "empty" },
				h("strong", { text: "There is no such page" }),
				h(
					"p",
					null,
					"Begin at the ",
					h("a", { href: "/", "data-page": true, text: "overview" }),
					".",
				),
			),
		);
		return title("Not found");
	}
	const { page } = found;
	const params = { user: found.name };
	const twin = page.twin(params);
	setText($("twin"), twin.length > 80 ? `${twin.slice(0, 79)}…` : twin);
	setAttr($("twin"), "href", twin);
	title(page.title(params));
	const root = h("div", { class: "page" });
	main.append(root);
	current = { path, page, twin, title: page.title(params) };
	const here = current;
	guarded(root, () => {
		here.view = page.mount(root, {
			params,
			navigate,
			plan: () => plan,
			job: () => job,
		});
	});
	if (page.live === false) {
		load(here, root);
		poll();
	} else {
		let pending = null;
		here.stream = live(twin.replace(/^([^?]*)/, "$1/live"), {
			twin,
			onData(data) {
				if (current !== here) return;
				if (page === overview) header(data);
				else if (Array.isArray(data.attention)) attention(data.attention);
				// Several messages between two frames are drawn once.
				if (pending === null)
					requestAnimationFrame(() => {
						const newest = pending;
						pending = null;
						if (current === here)
							guarded(root, () => here.view?.update?.(newest));
					});
				pending =
					data.history || !pending?.history
						? data
						: { ...data, history: pending.history };
			},
			onState: (state, retryAt) =>
				current === here && connected(state, retryAt),
		});
		if (page !== overview) poll();
	}
	if (page === overview) clearTimeout(headerTimer);
	if (moved) main.focus({ preventScroll: true });
}

async function load(here, root) {
	try {
		const data = await fetchJson(here.twin);
		if (current === here) guarded(root, () => here.view?.update?.(data));
	} catch (fault) {
		if (current !== here) return;
		root.replaceChildren(
			h(
				"div",
				{ class: "empty" },
				h("strong", { text: "This page could not be loaded" }),
				h("p", { text: fault.message }),
				h(
					"p",
					null,
					h(
						"button",
						{
							class: "button",
							type: "button",
							on: { click: () => show(false) },
						},
						"Try again",
					),
				),
			),
		);
	}
}

// The header: on the overview from its own stream, elsewhere asked for now and then

async function poll() {
	clearTimeout(headerTimer);
	if (document.hidden || current?.page === overview) return;
	try {
		header(await fetchJson("/api/overview?history=false"));
		if (!current?.stream) connected("live");
	} catch (fault) {
		if (!current?.stream && fault.status === 0)
			connected("lost", Date.now() + HEADER_MS);
	}
	clearTimeout(headerTimer);
	if (current?.page !== overview) headerTimer = setTimeout(poll, HEADER_MS);
}

const STATES = {
	running: "well",
	starting: "plain",
	stopping: "soon",
	degraded: "act",
};

function header(data) {
	job = data;
	guarded($("banners"), () => {
		setText($("job-name"), data.job.name);
		setAttr(
			$("job-name"),
			"title",
			`job ${data.job.id}\ntopic ${data.job.topic}\ngroup ${data.job.group}`,
		);
		const state = $("job-state");
		setLevel(state, STATES[data.job.state] ?? "plain");
		setText(state.querySelector(".state-word"), data.job.state);
		setText(
			state.querySelector(".state-since"),
			span(Math.max(0, data.now_ms - data.job.started_at_ms)),
		);
		setAttr(state, "title", `started\n${timeExact(data.job.started_at_ms)}`);
		setText($("version"), `Windrow ${data.job.version}`);
		instances(data);
		attention(data.attention ?? []);
		if (current) title(current.title);
	});
}

function instances(data) {
	const list = data.instances ?? [];
	const [summary, box] = $("instances").children;
	if (!summary.firstChild)
		summary.append(
			h("span", { class: "instances-count" }),
			h("span", { class: "instances-word" }),
		);
	setText(summary.firstChild, list.length);
	setText(
		summary.lastChild,
		list.length === 1 ? "\u00a0instance" : "\u00a0instances",
	);
	setAttr(summary, "aria-label", plural(list.length, "instance"));
	keyed(
		box,
		list,
		(each) => each.instance,
		() =>
			h(
				"div",
				{ class: "instance" },
				h(
					"div",
					null,
					h("strong"),
					h("span", { class: "tag", text: "this one" }),
				),
				h("div", { class: "muted tiny" }),
				h("div", { class: "muted tiny" }),
			),
		(node, each) => {
			const [head, does, where] = node.children;
			setText(head.firstChild, each.host || "unnamed host");
			head.lastChild.hidden = !each.here;
			setText(
				does,
				`${each.state}, ${plural(each.partitions, "partition")}, ${plural(each.workers, "worker")}, up ${span(data.now_ms - each.started_at_ms)}`,
			);
			setText(
				where,
				`pid ${each.pid}${each.listen ? `, pages on ${each.listen}` : ", no pages"}${data.now_ms - each.reported_at_ms > 15_000 ? `, last heard of ${span(data.now_ms - each.reported_at_ms)} ago` : ""}`,
			);
			setAttr(
				node,
				"title",
				`instance ${each.instance}\nWindrow ${each.version}\nsaid at ${timeExact(each.reported_at_ms)}`,
			);
		},
	);
}

// Banners

let attentions = [];
let said = "";

function attention(list) {
	attentions = list;
	banners();
}

function connected(state, retryAt) {
	const lost = state === "lost";
	if (!lost && connection.state === state) return;
	connection = {
		state,
		retryAt,
		since: lost ? (connection.since ?? Date.now()) : null,
	};
	document.documentElement.classList.toggle("lost", lost);
	banners();
}

function banners() {
	const shown = attentions
		.slice(0, 3)
		.map((each) => ({ id: each.what.replace(/\d+/g, "#"), ...each }));
	if (connection.state === "lost") {
		const wait = Math.max(
			0,
			Math.round((connection.retryAt - Date.now()) / 1000),
		);
		shown.unshift({
			id: "connection",
			level: "act",
			what: `No connection since ${time(connection.since)}. What is below is from then.`,
			todo: wait > 1 ? `Trying again in ${wait} s.` : "Trying again …",
			retry: true,
		});
	}
	const more = attentions.length - 3;
	if (more > 0)
		shown.push({
			id: "more",
			level: "plain",
			what: `And ${more} more`,
			todo: "",
			link: true,
		});
	keyed(
		$("banners"),
		shown,
		(each) => `${each.level} ${each.id}`,
		(each) => {
			const word = { act: "Act: ", soon: "Look soon: " }[each.level];
			const end = each.retry
				? h(
						"button",
						{
							class: "button small",
							type: "button",
							on: {
								click: () =>
									current?.stream ? current.stream.retry() : show(false),
							},
						},
						"Try now",
					)
				: each.link
					? h("a", {
							href: "/problems",
							"data-page": true,
							text: "All problems",
						})
					: null;
			return h(
				"div",
				{ class: `banner level-${each.level}` },
				icon(each.retry ? "away" : each.level),
				h(
					"p",
					null,
					h("span", { class: "visually-hidden", text: word ?? "" }),
					h("strong"),
					" ",
					h("span", { class: "todo" }),
				),
				h("span", { class: "end" }, end),
			);
		},
		(node, each) => {
			setText(node.querySelector("strong"), each.what);
			setText(node.querySelector(".todo"), each.todo);
		},
	);
	// Read out once per banner, not whenever its seconds move.
	const ids = shown.map((each) => `${each.level} ${each.id}`).join("\n");
	if (ids !== said)
		setText(
			$("said"),
			shown.map((each) => `${each.what} ${each.todo}`).join(" "),
		);
	said = ids;
}

setInterval(() => connection.state === "lost" && banners(), 1000);

function title(page) {
	document.title = [
		job && job.job.state !== "running" ? job.job.state : null,
		page,
		job?.job.name,
		"Windrow",
	]
		.filter(Boolean)
		.join(" · ");
}

// Clicks, keys, and the tab coming back

follow(
	"a[data-page]",
	(link) =>
		link.href === location.href
			? main.focus({ preventScroll: true })
			: navigate(link.getAttribute("href")),
	() => navigate("/features"),
);
document.addEventListener("click", (event) => {
	const open = $("instances");
	if (open.open && !open.contains(event.target)) open.open = false;
});
document.addEventListener("keydown", (event) => {
	if (event.key !== "Escape" || !$("instances").open) return;
	$("instances").open = false;
	$("instances").firstElementChild.focus();
});
addEventListener("popstate", () => show(false));
document.addEventListener("visibilitychange", poll);

// What holds as long as the process: the zone of event times, the plan.
fetchJson("/api/pipeline").then(
	(data) => {
		plan = data.plan ?? null;
		setEventZone(plan?.event?.time_zone ?? "UTC");
		const [viewer, events] = [viewerZone(), eventZoneName()];
		setText(
			$("zone"),
			viewer === events
				? `Times in ${viewer}`
				: `Times in ${viewer}; event times also in ${events}`,
		);
	},
	() => {},
);

show(false);
