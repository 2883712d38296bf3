// The records of a topic: a page of them, a search through many, or what comes as it comes. What is chosen stands in the
// address, so it can be sent to somebody.

import { empty, h, icon, keyed, setText } from "/assets/shared/dom.js";
import { count, exact, plural } from "/assets/shared/format.js";
import { fetchJson } from "/assets/shared/live.js";
import { crumbs, topicPath } from "../parts.js";
import { recordLine } from "../record.js";
import { sending } from "../send.js";

export const every = 0;
export const title = ({ name }) => `${name} messages`;
// Only how many partitions there are: records are asked for below.
export const urls = ({ name }) => [`/api/topics/${encodeURIComponent(name)}`];

const SLICE_MS = 1000;
const LIMITS = [25, 50, 100, 200];
const TAILED_MAX = 300;

export function mount(root, context) {
	const {
		params: { name },
		twin,
		trouble,
		well,
	} = context;
	const api = `/api/topics/${encodeURIComponent(name)}/messages`;
	let partitions = null;
	let working = null; // an AbortController while records are asked for
	let stream = null;
	let paused = null; // while tailing is paused: { records, more }
	let edges = null;
	let going = null; // what is shown: { back, before or after } or null

	// Controls

	const option = (value, text) => h("option", { value, text });
	const from = h(
		"select",
		{ class: "input", "aria-label": "Begin at" },
		option("newest", "Newest"),
		option("oldest", "Oldest"),
		option("offset", "Offset …"),
		option("time", "Time …"),
	);
	const offset = h("input", {
		class: "input",
		type: "text",
		inputmode: "numeric",
		placeholder: "offset",
		"aria-label": "Offset",
		autocomplete: "off",
	});
	const moment = h("input", {
		class: "input",
		type: "datetime-local",
		step: "1",
		"aria-label": "Time",
	});
	const partition = h(
		"select",
		{ class: "input", "aria-label": "Partition" },
		option("", "All"),
	);
	const contains = h("input", {
		class: "input",
		type: "search",
		placeholder: "text in key, value or headers",
		"aria-label": "Contains",
		autocomplete: "off",
		spellcheck: "false",
	});
	const limit = h(
		"select",
		{ class: "input", "aria-label": "Records a page" },
		LIMITS.map((each) => option(each, each)),
	);
	limit.value = "50";
	const showButton = h(
		"button",
		{ class: "button primary", type: "submit" },
		"Show",
	);
	const tailButton = h(
		"button",
		{
			class: "button",
			type: "button",
			on: { click: () => (stream ? stop() : tail()) },
		},
		"Follow live",
	);
	const field = (label, ...controls) =>
		h("div", { class: "field" }, h("span", { text: label }), controls);
	const form = h(
		"form",
		{
			class: "message-form",
			on: {
				submit: (event) => {
					event.preventDefault();
					choose();
				},
			},
		},
		field("From", h("div", { class: "from" }, from, offset, moment)),
		field("Partition", partition),
		h(
			"div",
			{ class: "field grow" },
			h("span", { text: "Contains" }),
			contains,
		),
		field("A page", limit),
		h("div", { class: "form-buttons" }, showButton, tailButton),
	);

	// What comes of it

	const status = h("div", { class: "message-status", role: "status" });
	const statusText = h("span");
	const statusButtons = h("span", { class: "end" });
	status.append(statusText, statusButtons);
	const progress = h(
		"div",
		{ class: "bar level-plain", hidden: true },
		h("span"),
	);
	const notice = h(
		"div",
		{ class: "notice level-soon", hidden: true },
		icon("soon"),
		h("p"),
	);
	const list = h("div", { class: "records" });
	const nothing = h("div");
	const newerTop = h(
		"button",
		{
			class: "button small",
			type: "button",
			on: { click: () => move("after") },
		},
		"Newer",
	);
	const olderTop = h(
		"button",
		{
			class: "button small",
			type: "button",
			on: { click: () => move("before") },
		},
		"Older",
	);
	const newer = h(
		"button",
		{ class: "button", type: "button", on: { click: () => move("after") } },
		"Newer",
	);
	const older = h(
		"button",
		{ class: "button", type: "button", on: { click: () => move("before") } },
		"Older",
	);
	const pager = h("div", { class: "pager", hidden: true }, newer, older);
	const send = sending(name, () => partitions);
	const columns = h(
		"div",
		{ class: "record-columns muted tiny", "aria-hidden": "true", hidden: true },
		["Time", "Partition : offset", "Key", "Value", "Size"].map((text) =>
			h("span", { text }),
		),
	);
	root.append(
		crumbs(["Topics", "/"], [name, topicPath(name)]),
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: "Messages" }),
			h("div", { class: "page-actions" }, send.button),
		),
		form,
		status,
		progress,
		notice,
		columns,
		list,
		nothing,
		pager,
		send.dialog,
	);

	from.addEventListener("change", shape);
	function shape() {
		offset.hidden = from.value !== "offset";
		moment.hidden = from.value !== "time";
		if (from.value === "offset") offset.focus();
		if (from.value === "time" && !moment.value)
			moment.value = local(Date.now() - 3_600_000);
	}

	// The address says what is shown

	function read() {
		const asked = new URLSearchParams(location.search);
		const start = asked.get("from") ?? "newest";
		const [kind, value] = [
			start.split(":")[0],
			start.slice(start.indexOf(":") + 1),
		];
		from.value = ["newest", "oldest", "offset", "time"].includes(kind)
			? kind
			: "newest";
		if (kind === "offset") offset.value = value;
		if (kind === "time" && Number.isFinite(Number(value)))
			moment.value = local(Number(value));
		const wanted = asked.get("partition") ?? "";
		if (wanted && ![...partition.options].some((each) => each.value === wanted))
			partition.append(option(wanted, wanted));
		partition.value = wanted;
		contains.value = asked.get("contains") ?? "";
		if (LIMITS.includes(Number(asked.get("limit"))))
			limit.value = asked.get("limit");
		going = asked.has("before")
			? { before: asked.get("before") }
			: asked.has("after")
				? { after: asked.get("after") }
				: null;
		shape();
	}

	function chosen() {
		const asked = new URLSearchParams();
		if (going) {
			for (const [way, positions] of Object.entries(going))
				asked.set(way, positions);
		} else if (from.value === "offset")
			asked.set("from", `offset:${offset.value.trim() || "0"}`);
		else if (from.value === "time")
			asked.set("from", `time:${new Date(moment.value).getTime() || 0}`);
		else asked.set("from", from.value);
		if (partition.value !== "") asked.set("partition", partition.value);
		if (contains.value !== "") asked.set("contains", contains.value);
		asked.set("limit", limit.value);
		return asked;
	}

	function remember() {
		const search = `?${chosen()}`;
		if (search !== location.search)
			history.pushState(null, "", `${location.pathname}${search}`);
	}

	function choose() {
		going = null;
		remember();
		load();
	}

	function move(way) {
		if (!edges) return;
		going = { [way]: way === "before" ? edges.older : edges.newer };
		remember();
		load().then(() => list.scrollIntoView({ block: "nearest" }));
	}

	// A page, slice by slice where it is a search

	async function load() {
		stop();
		working?.abort();
		const mine = new AbortController();
		working = mine;
		const asked = chosen();
		const wanted = Number(asked.get("limit"));
		const searching = asked.has("contains");
		twin(`${api}?${asked}`);
		notice.hidden = true;
		nothing.replaceChildren();
		pager.hidden = true;
		let [records, lookedAt, page, first] = [[], 0, null, null];
		busy(searching ? "Looking …" : "Reading …", true);
		try {
			do {
				if (searching) asked.set("patience_ms", SLICE_MS);
				asked.set("limit", wanted - records.length);
				page = await fetchJson(`${api}?${asked}`, { signal: mine.signal });
				first ??= page;
				well();
				records = records.concat(page.records);
				lookedAt += page.looked_at;
				draw(records, page.going_back);
				if (searching) {
					const total = lookedAt + page.left;
					busy(
						`Looked at ${count(lookedAt)} of ${count(total)} records, ${plural(records.length, "hit")}`,
						true,
					);
					bar(total > 0 ? lookedAt / total : 1);
				}
				for (const way of ["from", "before", "after"]) asked.delete(way);
				asked.set(
					page.going_back ? "before" : "after",
					page.going_back ? page.older : page.newer,
				);
			} while (
				searching &&
				page.ended === "time" &&
				records.length < wanted &&
				!mine.signal.aborted
			);
			finish(page.ended === "time" ? "time" : "");
		} catch (fault) {
			if (fault.name !== "AbortError") {
				if (trouble(fault)) return;
				busy("", false);
				if (fault.status === 400) say(fault.message);
				else retry();
				if (records.length === 0 && fault.status !== 400)
					nothing.replaceChildren();
				return;
			}
			if (working === mine) finish("stopped");
		}

		function finish(how) {
			working = null;
			bar(null);
			if (!page) {
				busy(how === "stopped" ? "Stopped." : "", false);
				return;
			}
			edges = page.going_back
				? {
						older: page.older,
						newer: first.newer,
						hasOlder: page.has_older,
						hasNewer: first.has_newer,
					}
				: {
						older: first.older,
						newer: page.newer,
						hasOlder: first.has_older,
						hasNewer: page.has_newer,
					};
			const looked = searching ? `, ${exact(lookedAt)} looked at` : "";
			busy(
				`${plural(records.length, "record")}${looked}${how === "stopped" ? ", stopped" : how === "time" ? ", time was up" : ""}${page.going_back ? ", newest first" : ", oldest first"}`,
				false,
			);
			if (page.trouble) say(page.trouble);
			paging();
			if (records.length === 0 && !page.trouble)
				nothing.replaceChildren(none(searching, edges));
		}
	}

	let again = null;
	function retry() {
		clearTimeout(again);
		again = setTimeout(load, 3000);
	}

	function none(searching, { hasOlder, hasNewer }) {
		if (searching)
			return empty(
				"Nothing found",
				hasOlder || hasNewer
					? "No record looked at has this text. Go on with the buttons above."
					: "No record has this text. Upper and lower case count; JSON may write a sign as \\u….",
			);
		if (hasOlder)
			return empty(
				"No records from there on",
				"What is older is behind the button Older; what comes is under Follow live.",
			);
		if (hasNewer)
			return empty(
				"No records before that",
				"What is newer is behind the button Newer.",
			);
		return empty(
			"No records",
			"This topic has no records, or all have been deleted by age. Send one, or some events:",
			h(
				"p",
				null,
				h("code", { text: "windrow generate --to kafka --rate 20" }),
			),
		);
	}

	function paging() {
		for (const button of [newer, newerTop]) button.disabled = !edges.hasNewer;
		for (const button of [older, olderTop]) button.disabled = !edges.hasOlder;
		pager.hidden = list.childElementCount < 10;
	}

	function draw(records, back) {
		const shown = records.map((record) => ({
			record,
			id: `${record.partition}:${record.offset}`,
		}));
		keyed(
			list,
			shown,
			({ id }) => `${back} ${id}`,
			({ record }) => recordLine(name, record),
		);
		columns.hidden = records.length === 0;
	}

	function say(text) {
		setText(notice.lastChild, text.charAt(0).toUpperCase() + text.slice(1));
		notice.hidden = false;
	}

	function busy(text, on) {
		setText(statusText, text);
		const stopButton = h(
			"button",
			{
				class: "button small",
				type: "button",
				on: { click: () => working?.abort() },
			},
			"Stop",
		);
		statusButtons.replaceChildren(
			...(on ? [stopButton] : edges ? [newerTop, olderTop] : []),
		);
		if (!on) bar(null);
	}

	function bar(share) {
		progress.hidden = share === null;
		if (share !== null)
			progress.firstChild.style.transform = `scaleX(${Math.max(0, Math.min(1, share))})`;
	}

	// What comes, as it comes

	function tail() {
		working?.abort();
		working = null;
		stop();
		const asked = new URLSearchParams();
		if (partition.value !== "") asked.set("partition", partition.value);
		if (contains.value !== "") asked.set("contains", contains.value);
		const url = `/api/topics/${encodeURIComponent(name)}/tail?${asked}`;
		twin(url);
		let [records, came, leftOut] = [[], 0, 0];
		notice.hidden = true;
		pager.hidden = true;
		draw([], true);
		nothing.replaceChildren(
			empty(
				"Waiting for records",
				contains.value
					? "Those with this text appear here as they come."
					: "They appear here as they come.",
			),
		);
		setText(tailButton, "Stop following");
		const pauseButton = h("button", { class: "button small", type: "button" });
		const light = h("span", { class: "dot" });
		pauseButton.addEventListener("click", () => {
			if (paused) {
				const kept = paused;
				paused = null;
				take(kept);
			} else paused = { records: [], more: 0 };
			tell();
		});
		statusButtons.replaceChildren(pauseButton);

		function tell() {
			setText(pauseButton, paused ? "Go on" : "Pause");
			light.classList.toggle("beating", !paused);
			const waiting = paused ? `, ${count(paused.more)} since the pause` : "";
			statusText.replaceChildren(
				h(
					"span",
					{ class: `state level-${paused ? "soon" : "well"}` },
					light,
					`${paused ? "Paused" : "Following"}: ${exact(came)} came${waiting}${leftOut ? `, ${count(leftOut)} too many to show` : ""}, newest first`,
				),
			);
		}
		function take(more) {
			records = [...more.records]
				.reverse()
				.concat(records)
				.slice(0, TAILED_MAX);
			if (more.records.length) {
				nothing.replaceChildren();
				draw(records, true);
			}
		}
		tell();
		stream = new EventSource(url);
		const opened = stream;
		opened.onmessage = (message) => {
			const said = JSON.parse(message.data);
			if (said.errors) return say(said.errors.join(" "));
			well();
			came += said.looked_at;
			leftOut += said.left_out;
			if (said.trouble) say(said.trouble);
			if (paused) {
				paused.records = paused.records.concat(said.records).slice(-TAILED_MAX);
				paused.more += said.records.length + said.left_out;
			} else take(said);
			tell();
		};
		opened.onerror = async () => {
			if (stream !== opened) return;
			// An event source does not say why: the JSON does.
			try {
				await fetchJson(urls({ name })[0]);
				if (opened.readyState === EventSource.CLOSED && stream === opened) {
					stop();
					say(
						"Following was refused: too many follow at once. Close another page that does, and try again.",
					);
				}
			} catch (fault) {
				if (
					stream === opened &&
					!trouble(fault) &&
					opened.readyState === EventSource.CLOSED
				) {
					clearTimeout(again);
					again = setTimeout(() => stream === opened && tail(), 3000);
				}
			}
		};
		edges = null;
	}

	function stop() {
		clearTimeout(again);
		if (!stream) return;
		stream.close();
		stream = null;
		paused = null;
		setText(tailButton, "Follow live");
		setText(
			statusText,
			statusText.textContent.replace(/^(Following|Paused)/, "Stopped"),
		);
		statusButtons.replaceChildren();
		if (list.childElementCount === 0) nothing.replaceChildren();
	}

	const moved = () => {
		read();
		load();
	};
	read();
	load();
	return {
		update(topic) {
			if (partitions === topic.partitions) return;
			partitions = topic.partitions;
			const value = partition.value;
			partition.replaceChildren(
				option("", "All"),
				...Array.from({ length: Math.min(partitions, 1000) }, (_, nth) =>
					option(nth, nth),
				),
			);
			partition.value = value;
		},
		moved,
		close() {
			stop();
			clearTimeout(again);
			working?.abort();
			send.dialog.close();
		},
	};
}

/** A moment as the input for it wants it, in the viewer's zone. */
function local(ms) {
	const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
	return Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(0, 19);
}
