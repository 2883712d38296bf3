// Features: what Redis holds for a user, as it changes; without a user, what is being written.

import { guarded, h, icon, keyed, setText } from "/assets/shared/dom.js";
import {
	middle,
	sentence,
	setting,
	span,
	time,
} from "/assets/shared/format.js";
import { KINDS, entry } from "./problems.js";
import { Written, viewSection } from "./feature-view.js";
import { rowsTicker } from "./rows.js";

export const title = ({ user }) =>
	user ? `${middle(user, 40)} · Features` : "Features";
export const twin = ({ user }) =>
	user ? `/api/features?user=${encodeURIComponent(user)}` : "/api/features";

export function mount(root, context) {
	const { user } = context.params;
	let keyField = "user_id";
	const written = new Written();
	const box = h("input", {
		class: "input",
		type: "search",
		name: "user",
		id: "user",
		placeholder: "A user id",
		"aria-label": "User id",
		autocomplete: "off",
		autocapitalize: "off",
		spellcheck: "false",
		enterkeyhint: "search",
		on: {
			keydown: (event) =>
				event.key === "Escape" && (box.value ? (box.value = "") : box.blur()),
		},
	});
	box.value = user;
	const search = h(
		"form",
		{ class: "search", role: "search", on: { submit: look } },
		icon("search"),
		box,
		h("kbd", { text: "/", title: "Press / to search", "aria-hidden": "true" }),
		h("button", { class: "button", type: "submit" }, "Look up"),
	);
	const away = h(
		"div",
		{ class: "notice level-act", hidden: true },
		icon("away"),
		h("div", null, h("strong"), h("p", { class: "muted" })),
	);
	const searching = h("p", {
		class: "muted searching",
		role: "status",
		hidden: true,
	});
	const nobody = h("div", { class: "empty", hidden: true });
	const views = h("div", { class: user ? "views" : "views all" });
	const ticker = user ? null : rowsTicker(() => keyField);
	const problems = h(
		"section",
		{ class: "section", hidden: true, "aria-label": "Problems of this user" },
		h(
			"div",
			{ class: "section-head" },
			h("h2", { text: "Problems of this user" }),
			h("span", {
				class: "muted tiny",
				text: "late events and dead letters lately",
			}),
		),
		h("div", { class: "entries" }),
	);
	root.append(
		h("h1", {
			class: "visually-hidden",
			text: user ? `Features of ${user}` : "Features",
		}),
		search,
		away,
		searching,
		nobody,
		views,
		problems,
		...(ticker ? [ticker.element] : []),
	);

	function look(event) {
		event.preventDefault();
		const wanted = box.value.trim() === "" ? "" : box.value;
		if (wanted !== user)
			context.navigate(
				wanted ? `/features/${encodeURIComponent(wanted)}` : "/features",
			);
		else if (wanted) box.blur();
	}

	function explain(data) {
		const plan = context.plan();
		const delay = plan?.watermark?.max_out_of_orderness_ms;
		const longest = (plan?.feature_views ?? [])
			.map((view) => {
				const { sliding, session } = view.window ?? {};
				return sliding
					? `${view.name}: at the next multiple of ${setting(sliding.slide_ms)}`
					: session
						? `${view.name}: ${setting(session.gap_ms)} after the last event`
						: null;
			})
			.filter(Boolean);
		const watermark = context.job()?.totals?.watermark_ms;
		const reasons = [
			`Windows close by event time: a row comes when the watermark passes a window's end${delay ? `, which is ${setting(delay)} behind the newest event` : ""}.${longest.length ? ` ${longest.join("; ")}.` : ""}` +
				(typeof watermark === "number"
					? ` The watermark is at ${time(watermark)}.`
					: ""),
			`Rows go when their time is over: ${
				data.feature_views
					.filter((view) => view.ttl_ms)
					.map((view) => `${view.name} after ${setting(view.ttl_ms)}`)
					.join(", ") || "these views keep theirs"
			}.`,
			"Ids are exact: capitals, spaces and leading zeros count.",
		];
		const parts = {
			head: () => h("strong"),
			list: () => h("ul"),
			more: () =>
				h(
					"p",
					null,
					h("a", {
						href: "/features",
						"data-page": true,
						text: "See rows as they are written",
					}),
				),
		};
		keyed(
			nobody,
			Object.keys(parts),
			(each) => each,
			(each) => parts[each](),
			(node, each) => {
				if (each === "more") return;
				if (each === "head")
					setText(node, `Redis holds no row for ${middle(user, 60)}`);
				else
					keyed(
						node,
						reasons,
						(_, index) => index,
						() => h("li"),
						setText,
					);
			},
		);
	}

	return {
		update(data) {
			keyField = data.key_field ?? keyField;
			const gone = data.redis?.away_since_ms ?? null;
			away.hidden = gone === null;
			if (gone !== null) {
				setText(
					away.querySelector("strong"),
					`Redis has been away for ${span(Math.max(0, data.now_ms - gone))}${data.redis.reason ? `: ${data.redis.reason}` : ""}.`,
				);
				setText(
					away.querySelector("p"),
					"Rows cannot be read now. Start Redis or correct sink.redis.url; nothing is lost, and this page goes on by itself.",
				);
			}
			const { done = true, failure = null } = data.search ?? {};
			searching.hidden = !user || gone !== null || (done && !failure);
			setText(
				searching,
				failure
					? `Redis cannot be looked through for older rows: ${sentence(failure)} Rows written lately are shown.${/no permissions to run/.test(failure) ? " The user in sink.redis.url needs the right to SCAN." : ""}`
					: "Looking through Redis for older rows: slowly, so that writing does not wait.",
			);
			const list = data.feature_views ?? [];
			const found = list.some((view) => (view.current ?? []).length > 0);
			nobody.hidden = !user || found || gone !== null || !done;
			if (!nobody.hidden) explain(data);
			views.hidden = Boolean(user) && !found;
			const plans = context.plan()?.feature_views ?? [];
			guarded(views, () =>
				keyed(
					views,
					list,
					(view) => view.name,
					() => viewSection(user),
					(node, view) =>
						node.set(
							view,
							data,
							written,
							plans.find((each) => each.name === view.name),
						),
				),
			);
			if (user)
				guarded(problems, () => {
					const items = [
						...(data.late_events ?? []).map((item) => ["late_events", item]),
						...(data.dead_letters ?? []).map((item) => ["dead_letters", item]),
					]
						.sort((a, b) => b[1].at_ms - a[1].at_ms)
						.slice(0, 50);
					problems.hidden = items.length === 0;
					keyed(
						problems.lastElementChild,
						items,
						([kind, item]) => `${kind} ${KINDS[kind].key(item)}`,
						([kind, item]) => entry(KINDS[kind], item, context),
					);
					for (const node of problems.lastElementChild.children)
						node.tick(data.now_ms);
				});
		},
		close: () => ticker?.close(),
	};
}
