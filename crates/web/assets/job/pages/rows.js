// Rows as they are written: a list that can be stopped to read in it.

import { h, icon, keyed, setAttr, setText } from "/assets/shared/dom.js";
import { middle, time, timeExact } from "/assets/shared/format.js";
import { shown } from "./feature-view.js";
import { fetchJson } from "/assets/shared/live.js";

const EVERY_MS = 1000;
const SHOWN = 24;

/** `{ element, close() }`; `keyField()` names the field that holds the user. */
export function rowsTicker(keyField) {
	let paused = false;
	let timer = null;
	let closed = false;
	const list = h("ol", { class: "ticker" });
	const note = h(
		"p",
		{ class: "muted" },
		"No row was written by this instance yet. Rows come when a window closes.",
	);
	const toggle = h("button", {
		class: "button small",
		type: "button",
		on: { click: () => pause(!paused) },
	});
	const element = h(
		"section",
		{ class: "section", "aria-label": "Rows as they are written" },
		h(
			"div",
			{ class: "section-head" },
			h("h2", { text: "Rows as they are written" }),
			h("span", {
				class: "muted tiny",
				text: "by this instance, newest first",
			}),
			h("span", { class: "end" }, toggle),
		),
		note,
		list,
	);

	function pause(now) {
		paused = now;
		toggle.replaceChildren(
			icon(paused ? "play" : "pause"),
			paused ? "Go on" : "Pause",
		);
		if (!paused) tick();
	}

	function create(row) {
		const user = row.fields.find(([name]) => name === keyField())?.[1];
		const values = row.fields.filter(([name]) => name !== keyField());
		return h(
			"li",
			null,
			h("time", {
				class: "muted",
				text: time(row.at_ms),
				title: timeExact(row.at_ms),
			}),
			user === undefined
				? h("span", {
						class: "mono",
						text: middle(row.redis_key, 32),
						title: row.redis_key,
					})
				: h("a", {
						href: `/features/${encodeURIComponent(user)}`,
						"data-page": true,
						class: "mono",
						text: middle(user, 24),
						title: user,
					}),
			h("span", {
				class: "muted ticker-view",
				text: row.feature_view,
				title: row.redis_key,
			}),
			h(
				"span",
				{ class: "ticker-fields" },
				values.map(([name, value]) => [
					h(
						"span",
						{ class: "nowrap" },
						h("span", { class: "muted", text: `${middle(name, 32)} ` }),
						h("span", { text: shown(value), title: value }),
					),
					" ",
				]),
			),
		);
	}

	async function tick() {
		clearTimeout(timer);
		if (closed || paused || document.hidden) return;
		try {
			const data = await fetchJson(`/api/rows?limit=${SHOWN}`);
			if (closed || paused) return;
			const rows = data.rows ?? [];
			const seen = new Map();
			const keys = rows.map((row) => {
				const id = `${row.at_ms} ${row.redis_key} ${row.fields.map(([, value]) => value).join(" ")}`;
				seen.set(id, (seen.get(id) ?? 0) + 1);
				return `${id} ${seen.get(id)}`;
			});
			keyed(list, rows.slice(0, SHOWN), (_, index) => keys[index], create);
			note.hidden = rows.length > 0;
			setText(
				note,
				"No row was written by this instance yet. Rows come when a window closes.",
			);
		} catch (fault) {
			if (list.children.length === 0) setText(note, fault.message);
		}
		clearTimeout(timer);
		timer = setTimeout(tick, EVERY_MS);
	}

	const seen = () => tick();
	document.addEventListener("visibilitychange", seen);
	setAttr(toggle, "aria-label", null);
	pause(false);
	return {
		element,
		close() {
			closed = true;
			clearTimeout(timer);
			document.removeEventListener("visibilitychange", seen);
		},
	};
}
