// One feature view on the Features page: its counts, and a user's rows as cards; sessions also on a time line.

import {
	copy,
	h,
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
	timeBeside,
	timeExact,
} from "/assets/shared/format.js";
import { sparkline } from "../charts.js";

const SAMPLES = 60;

const numeric = (text) =>
	text !== "" && Number.isFinite(Number(text)) ? Number(text) : null;

/** A value to read: long fractions shortened, everything else as it is in Redis. */
export function shown(text) {
	const value = numeric(text);
	if (value === null) return middle(text, 80);
	return /\.\d{5,}/.test(text)
		? value.toLocaleString("en-US", { maximumFractionDigits: 4 })
		: /^-?\d{5,}$/.test(text) && Number.isSafeInteger(value)
			? exact(value)
			: text;
}

/** Values of each field as they were written: from the server's memory, then what this page sees change. */
export class Written {
	#series = new Map(); // redis key and field → [[at, value]]

	take(view, now) {
		for (const row of view.recent ?? [])
			for (const [name, value] of row.fields)
				this.#add(`${row.redis_key}\u0000${name}`, row.at_ms, value);
		for (const row of view.current ?? []) {
			const at = row.age_ms === null ? now : now - row.age_ms;
			for (const [name, value] of row.fields)
				this.#add(`${row.redis_key}\u0000${name}`, at, value, true);
		}
	}

	#add(id, at, text, onlyChanged = false) {
		const value = numeric(text);
		if (value === null) return;
		const list = this.#series.get(id) ?? [];
		const last = list.at(-1);
		if (last && (at <= last[0] || (onlyChanged && last[1] === value))) return;
		list.push([at, value]);
		if (list.length > SAMPLES) list.shift();
		this.#series.set(id, list);
		if (this.#series.size > 2000)
			this.#series.delete(this.#series.keys().next().value);
	}

	of(redisKey, name) {
		return (this.#series.get(`${redisKey}\u0000${name}`) ?? []).map(
			([, value]) => value,
		);
	}
}

function field() {
	const name = h("dt");
	const line = sparkline({ fromZero: false });
	const value = h("span", { class: "field-value" });
	const node = h(
		"div",
		{ class: "field-line" },
		name,
		h("dd", null, line.element, value),
	);
	value.addEventListener("click", () => copy(node.whole));
	node.set = ([key, text], samples) => {
		node.whole = text;
		setText(name, middle(key, 40));
		setAttr(name, "title", key);
		setText(value, text === "" ? "(empty)" : shown(text));
		setAttr(value, "title", `${text}\nclick to copy`);
		value.classList.toggle("words", numeric(text) === null);
		line.update(samples);
		setAttr(line.element, "hidden", samples.length < 2);
	};
	return node;
}

function card(keyField) {
	const head = h(
		"div",
		{ class: "card-head" },
		h("strong"),
		h("span", { class: "muted tiny" }),
	);
	const list = h("dl", { class: "fields" });
	const other = h("p", { class: "muted", hidden: true });
	const left = h("div", { class: "bar" }, h("span"));
	const age = h("span");
	const rest = h("span");
	const key = h("button", {
		class: "link-button mono muted tiny card-key",
		type: "button",
		on: { click: () => copy(node.redisKey) },
	});
	const node = h(
		"article",
		{ class: "card" },
		head,
		list,
		other,
		h(
			"div",
			{ class: "card-foot" },
			left,
			h("div", { class: "card-ages tiny muted" }, age, rest),
			key,
		),
	);
	node.set = (row, view, now, written) => {
		node.redisKey = row.redis_key;
		const windowed =
			row.window_start_ms !== null && row.window_start_ms !== undefined;
		setText(head.firstChild, windowed ? time(row.window_start_ms) : "Now");
		setAttr(
			head.firstChild,
			"title",
			windowed
				? timeExact(row.window_start_ms)
				: "the newest window that fired",
		);
		setText(
			head.lastChild,
			windowed
				? [
						row.endMs
							? `to ${time(row.endMs)}, ${span(row.endMs - row.window_start_ms)}`
							: "",
						timeBeside(row.window_start_ms),
					]
						.filter(Boolean)
						.join(" · ")
				: "the newest window that closed",
		);
		other.hidden = !row.other_type;
		setText(
			other,
			row.other_type
				? `Redis holds a ${row.other_type} at this key, not a row. Something else writes to it.`
				: "",
		);
		keyed(
			list,
			row.fields.filter(([name]) => name !== keyField),
			([name]) => name,
			field,
			(each, pair) => each.set(pair, written.of(row.redis_key, pair[0])),
		);
		const ttl = row.ttl_left_ms;
		const share =
			ttl === null || !view.ttl_ms
				? 1
				: Math.max(0, Math.min(1, ttl / view.ttl_ms));
		left.hidden = ttl === null;
		left.firstChild.style.transform = `scaleX(${share})`;
		setLevel(left, share < 0.1 && ttl !== null ? "soon" : "plain");
		setText(age, row.age_ms === null ? "" : `written ${ago(row.age_ms)}`);
		setAttr(
			age,
			"title",
			row.age_ms === null ? null : timeExact(now - row.age_ms),
		);
		setText(rest, ttl === null ? "never expires" : `${span(ttl)} left`);
		setAttr(
			rest,
			"title",
			ttl === null
				? null
				: `${exact(ttl, "ms")}; gone at\n${timeExact(now + ttl)}`,
		);
		setText(key, middle(row.redis_key, 48));
		setAttr(key, "title", `${row.redis_key}\nclick to copy`);
	};
	return node;
}

/** Sessions as bars on the time from the first one's start until now. */
function timeline() {
	const track = h("ol", { class: "timeline-track" });
	const [from, to] = [h("span"), h("span", { text: "now" })];
	const node = h(
		"figure",
		{ class: "timeline" },
		track,
		h("figcaption", { class: "tiny muted" }, from, to),
	);
	node.set = (rows, now, choose) => {
		const start = Math.min(...rows.map((row) => row.window_start_ms));
		const length = Math.max(60_000, now - start);
		setText(from, time(start));
		keyed(
			track,
			rows,
			(row) => row.redis_key,
			() =>
				h(
					"li",
					null,
					h("button", {
						type: "button",
						on: { click: (event) => choose(event.currentTarget.redisKey) },
					}),
				),
			(each, row) => {
				const end = row.endMs ?? row.window_start_ms;
				const bar = each.firstChild;
				bar.redisKey = row.redis_key;
				each.style.left = `${Math.min(99, ((row.window_start_ms - start) / length) * 100)}%`;
				each.style.width = `${Math.max(0, Math.min(100, ((end - row.window_start_ms) / length) * 100))}%`;
				const words = `Session from ${time(row.window_start_ms)}${row.endMs ? ` to ${time(row.endMs)}, ${span(row.endMs - row.window_start_ms)}` : ""}`;
				setAttr(bar, "title", words);
				setAttr(bar, "aria-label", words);
			},
		);
	};
	return node;
}

/** A session's last event, where the row says how long it lasted and the plan says in which unit. */
function ends(row, plan) {
	if (typeof row.window_end_ms === "number") return row.window_end_ms;
	if (typeof row.window_start_ms !== "number") return null;
	for (const feature of plan?.features ?? []) {
		const unit = /^duration in (\w+)/.exec(feature.aggregate ?? "")?.[1];
		const factor = {
			milliseconds: 1,
			seconds: 1000,
			minutes: 60_000,
			hours: 3_600_000,
		}[unit];
		const value = numeric(
			row.fields.find(([name]) => name === feature.name)?.[1] ?? "",
		);
		if (factor && value !== null) return row.window_start_ms + value * factor;
	}
	return null;
}

/** A view's section; `set(view, data, written, plan)` fills it. */
export function viewSection(user) {
	const name = h("h2");
	const window = h("span", { class: "muted" });
	const counts = h("span", { class: "muted tiny end view-counts" });
	const line = timeline();
	const cards = h("div", { class: "cards" });
	const none = h("p", { class: "muted view-none" });
	const node = h(
		"section",
		{ class: "section view" },
		h("div", { class: "section-head" }, name, window, counts),
		line,
		cards,
		none,
	);

	function choose(redisKey) {
		for (const each of cards.children) {
			const here = each.redisKey === redisKey;
			each.classList.toggle("chosen", here);
			if (here)
				each.scrollIntoView({
					block: "nearest",
					behavior: matchMedia("(prefers-reduced-motion: reduce)").matches
						? "auto"
						: "smooth",
				});
		}
	}

	node.set = (view, data, written, plan) => {
		setText(name, view.name);
		setAttr(node, "aria-label", view.name);
		setText(window, view.window);
		setText(
			counts,
			`${count(view.entities)} users · ${count(view.rows)} rows · ${count(view.rows_per_s)}/s · ${count(view.late_events)} late`,
		);
		setAttr(
			counts,
			"title",
			`${exact(view.entities, "users with state")}\n${exact(view.rows, "rows since the start")}\n${exact(view.late_events, "late events since the start")}`,
		);
		if (!user) {
			line.hidden = true;
			none.hidden = true;
			return;
		}
		written.take(view, data.now_ms);
		// The newest session is the one people ask about: it comes first.
		const rows = (view.current ?? [])
			.map((row) => ({
				...row,
				endMs: view.session ? ends(row, plan) : (row.window_end_ms ?? null),
			}))
			.reverse();
		const sessions = rows.filter(
			(row) => typeof row.window_start_ms === "number",
		);
		line.hidden = !view.session || sessions.length === 0;
		if (!line.hidden) line.set(sessions, data.now_ms, choose);
		keyed(
			cards,
			rows.slice(0, 60),
			(row) => row.redis_key,
			() => card(data.key_field),
			(each, row) => each.set(row, view, data.now_ms, written),
		);
		none.hidden = rows.length > 0;
		setText(
			none,
			data.search?.done === false
				? "No row found yet."
				: `No row. One comes when a window of this view closes by event time${view.ttl_ms ? `, and goes ${setting(view.ttl_ms)} after it was last written` : ""}.`,
		);
	};
	return node;
}
