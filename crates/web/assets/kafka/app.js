// The frame around the pages: which page is shown, asking for its JSON again and again, and saying so when Kafka is away.
// Each page is a module with `title(params)`, `urls(params)` (JSON it is made of) and `mount(root, context)`, which returns
// `{ update(answers), close() }`; `every` is how often it is asked for, in ms, 0 for once or by itself.

import { guarded, h, icon, setAttr, setText } from "/assets/shared/dom.js";
import { sentence, time, viewerZone } from "/assets/shared/format.js";
import { find, follow } from "/assets/shared/frame.js";
import { fetchJson } from "/assets/shared/live.js";
import * as home from "./pages/home.js";
import * as topic from "./pages/topic.js";
import * as messages from "./pages/messages.js";
import * as groups from "./pages/groups.js";
import * as group from "./pages/group.js";

const $ = (id) => document.getElementById(id);
const main = $("main");
const AGAIN_MS = 3000;

const ROUTES = [
	[/^\/$/, home],
	[/^\/topics\/([^/]+)\/?$/, topic],
	[/^\/topics\/([^/]+)\/messages\/?$/, messages],
	[/^\/groups\/?$/, groups],
	[/^\/groups\/([^/]+)\/?$/, group],
];

let current = null; // { page, params, root, view, asking, shown }
let timer = null;
let away = null; // { since, why }

/** Goes to a path of these pages without loading anew. */
function navigate(path) {
	history.pushState(null, "", path);
	show(true);
}

/** The JSON behind what is shown. */
function twin(url) {
	setText($("twin"), url.length > 80 ? `${url.slice(0, 79)}…` : url);
	setAttr($("twin"), "href", url);
}

function show(moved) {
	clearTimeout(timer);
	current?.asking?.abort();
	try {
		current?.view?.close?.();
	} catch (fault) {
		console.warn("close", fault);
	}
	current = null;
	main.replaceChildren();
	if (moved) scrollTo(0, 0);
	const found = find(ROUTES, location.pathname);
	const inGroups = location.pathname.startsWith("/groups");
	for (const link of document.querySelectorAll(".nav a")) {
		setAttr(
			link,
			"aria-current",
			found && inGroups === link.pathname.startsWith("/groups") ? "page" : null,
		);
	}
	if (!found) {
		missing("There is no such page", "");
		document.title = "Not found · Kafka · Windrow";
		return;
	}
	const { page } = found;
	const params = { name: found.name };
	document.title = `${page.title(params)} · Kafka · Windrow`;
	twin(page.urls(params)[0]);
	const root = h("div", { class: "page" });
	main.append(root);
	const here = { page, params, root, view: null, asking: null, shown: false };
	current = here;
	guarded(root, () => {
		here.view = page.mount(root, {
			params,
			navigate,
			twin,
			trouble: (fault) => current === here && trouble(here, fault),
			well,
		});
	});
	ask(here);
	if (moved) main.focus({ preventScroll: true });
}

function missing(title, why) {
	main.replaceChildren(
		h(
			"div",
			{ class: "empty" },
			h("strong", { text: title }),
			why ? h("p", { text: why }) : null,
			h(
				"p",
				null,
				"Begin at the ",
				h("a", { href: "/", "data-page": true, text: "topics" }),
				".",
			),
		),
	);
}

async function ask(here) {
	clearTimeout(timer);
	if (current !== here || document.hidden) return;
	let wait = here.page.every;
	here.asking = new AbortController();
	try {
		const signal = here.asking.signal;
		const answers = await Promise.all(
			here.page.urls(here.params).map((url) => fetchJson(url, { signal })),
		);
		if (current !== here) return;
		well();
		here.shown = true;
		guarded(here.root, () => here.view?.update?.(...answers));
	} catch (fault) {
		if (current !== here || fault.name === "AbortError") return;
		if (trouble(here, fault)) return;
		wait = AGAIN_MS;
	}
	clearTimeout(timer);
	if (wait > 0) timer = setTimeout(() => ask(here), wait);
}

/** Says what is wrong; whether that is the end of the page. */
function trouble(here, fault) {
	if (fault.status === 404) {
		well();
		current = null;
		try {
			here.view?.close?.();
		} catch (other) {
			console.warn("close", other);
		}
		missing(
			"Not found",
			`${fault.message[0].toUpperCase()}${fault.message.slice(1)}. It may have been deleted, or it is on another cluster.`,
		);
		return true;
	}
	away = { since: away?.since ?? Date.now(), fault };
	banner();
	return false;
}

function well() {
	away = null;
	banner();
}

function banner() {
	const box = $("banners");
	if (!away) {
		if (box.firstChild) box.replaceChildren();
		return;
	}
	const [what, todo] =
		away.fault.status === 0
			? [
					"The Kafka UI's server does not answer.",
					"Is windrow kafka-ui still running? Trying again …",
				]
			: away.fault.status === 503
				? [
						sentence(away.fault.message),
						"Is Kafka running there? Trying again …",
					]
				: [sentence(away.fault.message), "Trying again …"];
	if (!box.firstChild) {
		box.append(
			h(
				"div",
				{ class: "banner level-act" },
				icon("away"),
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
	}
	setText(box.querySelector("strong"), what);
	setText(
		box.querySelector(".todo"),
		current?.shown
			? `${todo} What is below is from before ${time(away.since)}.`
			: todo,
	);
}

follow("a[data-page], td a[href^='/']", (link) =>
	navigate(link.getAttribute("href")),
);
addEventListener("popstate", () => show(false));
document.addEventListener("visibilitychange", () => {
	if (!document.hidden && current && (current.page.every > 0 || away))
		ask(current);
});

setText($("zone"), `Times in ${viewerZone()}`);
fetchJson("/api/cluster").then(
	(said) => setText($("where"), `Kafka at ${said.addresses}`),
	() => {},
);
show(false);
