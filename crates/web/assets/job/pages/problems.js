// Problems: late events, dead letters, and warnings of the log; each with the record itself and what to do.

import {
	empty,
	guarded,
	h,
	icon,
	keyed,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	ago,
	count,
	exact,
	middle,
	setting,
	span,
	time,
	timeExact,
} from "/assets/shared/format.js";
import { record } from "../records.js";
import { moment } from "../times.js";

export const title = () => "Problems";
export const twin = () => "/api/problems";

const MOST = 200;

const facts = (pairs) =>
	h(
		"dl",
		{ class: "facts" },
		pairs
			.filter(([, value]) => value !== null && value !== undefined)
			.map(([name, value]) => [h("dt", { text: name }), h("dd", null, value)]),
	);
const where = (item) =>
	item.partition === null || item.partition === undefined
		? null
		: `partition ${item.partition}, offset ${exact(item.offset)}`;
const who = (user) =>
	user
		? h("a", {
				href: `/features/${encodeURIComponent(user)}`,
				"data-page": true,
				text: middle(user, 60),
				title: user,
			})
		: null;
const todo = (...parts) => h("p", { class: "todo-line muted" }, parts);

/** The kinds of problem, each with how one is shown shut and open. */
export const KINDS = {
	late_events: {
		label: "Late events",
		lead: "Events whose windows had all closed when they came. They change no row.",
		none: ["No late events", "Nothing came after its windows had closed."],
		key: (item) => `${item.partition} ${item.offset}`,
		what: (item) =>
			`${typeof item.watermark_ms === "number" ? `${span(item.watermark_ms - item.event_time_ms)} behind the watermark` : "late"}, for ${(item.feature_views ?? []).join(", ")}`,
		about: () => "",
		who: (item) => item.key,
		level: "soon",
		open: (item, plan) => [
			facts([
				["user", who(item.key)],
				["late for", (item.feature_views ?? []).join(", ")],
				["event time", moment(item.event_time_ms, { beside: true })],
				["watermark then", moment(item.watermark_ms, { beside: true })],
				["seen", moment(item.at_ms)],
				["in Kafka", where(item)],
				["on", item.host],
			]),
			record(item.record),
			todo(
				"A few are normal. Where there are many, raise ",
				h("code", { text: "watermark.max_out_of_orderness" }),
				plan?.watermark
					? ` (now ${setting(plan.watermark.max_out_of_orderness_ms)})`
					: "",
				"; rows then come that much later. Events that are hours late come from a producer's retry or a wrong clock.",
			),
		],
	},
	dead_letters: {
		label: "Dead letters",
		lead: "Records that were no events, and rows that Redis refused. They were skipped; the job went on.",
		none: [
			"No dead letters",
			"Every record was an event, and Redis took every row.",
		],
		key: (item) =>
			`${item.kind} ${item.partition} ${item.offset} ${item.at_ms} ${item.key?.text ?? ""}`,
		what: (item) => item.reason,
		about: (item) => (item.kind === "row" ? "refused row" : ""),
		who: (item) => item.key?.text,
		level: "soon",
		open: (item) => [
			facts([
				["reason", item.reason],
				[
					item.kind === "row" ? "key in Redis" : "record key",
					item.kind !== "row" && item.key?.utf8
						? who(item.key.text)
						: item.key
							? h("code", { text: item.key.text })
							: "none",
				],
				["seen", moment(item.at_ms)],
				["in Kafka", where(item)],
				["on", item.host],
			]),
			item.kind === "row" ? null : record(item.record),
			item.kind === "row"
				? todo(
						"Something else uses this key in Redis: delete it there, or change the view's ",
						h("code", { text: "key" }),
						". The next row for it is then written again.",
					)
				: todo(
						"Correct the producer and send the event again: Windrow does not read this record a second time. What an event must have is on ",
						h("a", { href: "/pipeline", "data-page": true, text: "Pipeline" }),
						".",
					),
		],
	},
	exceptions: {
		label: "Log",
		lead: "Warnings and errors of the log, from every instance.",
		none: ["Nothing in the log", "No warnings and no errors since the start."],
		key: (item) => `${item.at_ms} ${item.target} ${item.message}`,
		what: (item) => item.message,
		about: (item) => (item.level === "error" ? "error" : "warning"),
		who: () => null,
		level: (item) => (item.level === "error" ? "act" : "soon"),
		open: (item) => [
			facts([
				["level", item.level],
				["part", h("code", { text: item.target })],
				["at", moment(item.at_ms)],
				["on", item.host],
			]),
			h("pre", {
				class: "code wrap",
				tabindex: "0",
				"aria-label": "Message",
				text: item.message,
			}),
			todo(
				item.level === "error"
					? "An error stops something: look at the banner at the top and at Partitions for what stands still."
					: "A warning mends itself or needs no hurry; if it comes again and again, follow what it says.",
			),
		],
	},
};

/** One problem that opens. */
export function entry(kind, item, context) {
	const at = h("time", { class: "muted entry-at" });
	const node = h(
		"details",
		{ class: "entry" },
		h(
			"summary",
			null,
			h(
				"span",
				{ class: "chip entry-icon" },
				icon(typeof kind.level === "function" ? kind.level(item) : kind.level),
			),
			at,
			h("span", { class: "entry-what", text: kind.what(item) }),
			h("span", {
				class: "entry-who mono muted",
				text: kind.who(item) ? middle(kind.who(item), 28) : "",
				title: kind.who(item) ?? null,
			}),
			h("span", { class: "muted tiny entry-about", text: kind.about(item) }),
			h("span", {
				class: "muted tiny entry-where",
				text: where(item) ?? item.host ?? "",
			}),
		),
	);
	setLevel(
		node.firstChild.firstChild,
		typeof kind.level === "function" ? kind.level(item) : kind.level,
	);
	setAttr(at, "title", timeExact(item.at_ms));
	node.addEventListener("toggle", () => {
		// The inside is made when somebody looks, and let go again.
		if (!node.open) node.querySelector(".entry-body")?.remove();
		else if (!node.querySelector(".entry-body"))
			node.append(
				h(
					"div",
					{ class: "entry-body stack" },
					kind.open(item, context.plan()),
				),
			);
	});
	node.tick = (now) => {
		const age = now - item.at_ms;
		setText(at, age < 3_600_000 ? ago(Math.max(0, age)) : time(item.at_ms));
	};
	return node;
}

export function mount(root, context) {
	const names = Object.keys(KINDS);
	const counts = {};
	let chosen = names.find((name) => `#${name}` === location.hash) ?? null;
	let held = null; // what came while somebody reads an open entry
	const held_ = h("button", {
		class: "button small held",
		type: "button",
		hidden: true,
		on: {
			click: () => {
				const data = held;
				held = null;
				draw(data, true);
			},
		},
	});

	const tabs = names.map((name) =>
		h(
			"button",
			{
				type: "button",
				role: "tab",
				id: `tab-${name}`,
				"aria-controls": `panel-${name}`,
				on: { click: () => choose(name, true) },
			},
			KINDS[name].label,
			(counts[name] = h("span", { class: "count" })),
		),
	);
	const panels = names.map((name) => {
		const list = h("div", { class: "entries" });
		const nothing = empty(...KINDS[name].none);
		const panel = h(
			"section",
			{
				role: "tabpanel",
				id: `panel-${name}`,
				"aria-labelledby": `tab-${name}`,
				tabindex: "0",
			},
			h("p", { class: "lead tab-lead", text: KINDS[name].lead }),
			list,
			nothing,
		);
		return { name, list, nothing, panel };
	});
	const strip = h(
		"div",
		{
			class: "tabs",
			role: "tablist",
			"aria-label": "Kinds of problem",
			on: { keydown: turn },
		},
		tabs,
	);
	const attention = h("ul", { class: "attention" });
	root.append(
		h("h1", { text: "Problems" }),
		attention,
		h(
			"div",
			{ class: "section tight" },
			strip,
			held_,
			panels.map((each) => each.panel),
		),
	);

	function choose(name, byHand) {
		chosen = name;
		names.forEach((each, index) => {
			setAttr(tabs[index], "aria-selected", String(each === name));
			setAttr(tabs[index], "tabindex", each === name ? "0" : "-1");
			panels[index].panel.hidden = each !== name;
		});
		if (byHand) history.replaceState(null, "", `${location.pathname}#${name}`);
	}
	function turn(event) {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (!step) return;
		event.preventDefault();
		const next = (names.indexOf(chosen) + step + names.length) % names.length;
		choose(names[next], true);
		tabs[next].focus();
	}
	if (chosen) choose(chosen);

	function draw(data, whole) {
		const reading = !whole && root.querySelector(".entry[open]") !== null;
		if (reading) {
			const fresh = names.reduce(
				(sum, name, index) =>
					sum +
					(data[name] ?? [])
						.slice(0, MOST)
						.filter((item) => !panels[index].keys?.has(KINDS[name].key(item)))
						.length,
				0,
			);
			held = data;
			held_.hidden = fresh === 0;
			setText(held_, fresh === 1 ? "Show 1 new" : `Show ${count(fresh)} new`);
		} else {
			held = null;
			held_.hidden = true;
		}
		panels.forEach(({ name, list, nothing, panel }, index) =>
			guarded(panel, () => {
				const kind = KINDS[name];
				const items = (data[name] ?? []).slice(0, MOST);
				if (!reading) {
					keyed(list, items, kind.key, (item) => entry(kind, item, context));
					panels[index].keys = new Set(items.map(kind.key));
				}
				for (const node of list.children) node.tick(data.now_ms);
				nothing.hidden = list.children.length > 0;
			}),
		);
	}

	return {
		update(data) {
			const all = data.counts ?? {};
			setText(
				counts.late_events,
				count(all.late_events ?? data.late_events?.length),
			);
			setAttr(
				counts.late_events,
				"title",
				exact(all.late_events, "since the start; the newest are kept"),
			);
			const dead = (all.dead_letters ?? 0) + (all.refused_rows ?? 0);
			setText(counts.dead_letters, count(dead));
			setAttr(
				counts.dead_letters,
				"title",
				`${exact(all.dead_letters)} records and ${exact(all.refused_rows)} rows since the start; the newest are kept`,
			);
			setText(counts.exceptions, count((data.exceptions ?? []).length));
			if (!chosen)
				choose(
					names.reduce(
						(best, name) =>
							(data[name]?.[0]?.at_ms ?? 0) > (data[best]?.[0]?.at_ms ?? 0)
								? name
								: best,
						names[0],
					),
				);
			// The banners at the top show the first three; all are here where there are more.
			keyed(
				attention,
				(data.attention ?? []).length > 3 ? data.attention : [],
				(each) => `${each.level} ${each.what.replace(/\d+/g, "#")}`,
				(each) =>
					h(
						"li",
						{ class: `notice level-${each.level}` },
						icon(each.level),
						h("div", null, h("strong"), h("p", { class: "muted" })),
					),
				(node, each) => {
					setText(node.querySelector("strong"), each.what);
					setText(node.querySelector("p"), each.todo);
				},
			);
			draw(data, false);
		},
	};
}
