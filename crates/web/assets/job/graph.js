// The pipeline as a picture: source → decode → each feature view → Redis, with rates at the edges. HTML boxes on a grid,
// SVG curves between them; one under the other where there is no room.

import {
	h,
	icon,
	keyed,
	s,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	bytes,
	count,
	exact,
	middle,
	rate,
	span,
	timeExact,
} from "/assets/shared/format.js";

const number = (value) => typeof value === "number";

/** What a stage says of itself in one line. */
function facts(stage) {
	const of = stage.facts ?? {};
	const said = [];
	if (stage.kind === "source") {
		if (number(of.lag))
			said.push([
				of.lag === 0 ? "caught up" : `${count(of.lag)} to read`,
				`lag: ${exact(of.lag, "records")}`,
			]);
		if (number(of.behind_ms) && of.behind_ms > 0)
			said.push([`${span(of.behind_ms)} behind`, exact(of.behind_ms, "ms")]);
	} else if (stage.kind === "decode") {
		if (number(of.dead_letters))
			said.push([
				`${count(of.dead_letters)} dead ${of.dead_letters === 1 ? "letter" : "letters"}`,
				`${exact(of.dead_letters)} records were no events`,
			]);
	} else if (stage.kind === "feature_view") {
		if (number(of.entities))
			said.push([
				`${count(of.entities)} users`,
				exact(of.entities, "users with state"),
			]);
		if (number(of.late_events))
			said.push([
				`${count(of.late_events)} late`,
				exact(of.late_events, "late events"),
			]);
	} else if (stage.kind === "sink") {
		if (number(of.transaction_ms))
			said.push([
				`${span(of.transaction_ms)} a write`,
				`${exact(of.transaction_ms, "ms")} for a typical transaction`,
			]);
		if (of.waiting_bytes > 0)
			said.push([
				`${bytes(of.waiting_bytes)} wait`,
				`${exact(of.waiting_bytes)} of at most ${exact(of.waiting_bytes_limit, "bytes")}`,
			]);
		if (of.refused_rows > 0)
			said.push([
				`${count(of.refused_rows)} refused`,
				exact(of.refused_rows, "rows refused"),
			]);
	}
	return said;
}

/** Why a stage is not well, in a few words. */
function trouble(stage, now) {
	if (number(stage.away_since_ms))
		return `away for ${span(now - stage.away_since_ms)}`;
	if (stage.level === "well") return null;
	return (
		{
			source: "falling behind",
			decode: "busy",
			feature_view: "busy",
			sink: "holds the rest back",
		}[stage.kind] ?? "look here"
	);
}

function box() {
	const name = h("span", { class: "stage-name" });
	const chip = h(
		"span",
		{ class: "chip", hidden: true },
		h("span", { class: "chip-icon" }),
		h("span"),
	);
	const detail = h("p", { class: "stage-detail muted tiny" });
	const line = h("p", { class: "stage-facts tiny" });
	const reason = h("p", { class: "stage-reason tiny", hidden: true });
	const node = h(
		"li",
		{ class: "stage" },
		h("div", { class: "stage-head" }, name, chip),
		detail,
		line,
		reason,
	);
	let icons = null;
	node.set = (stage, now) => {
		setText(name, middle(stage.name, 48));
		setAttr(name, "title", stage.name);
		setText(detail, stage.detail);
		setAttr(detail, "title", stage.detail);
		keyed(
			line,
			facts(stage),
			(_, index) => index,
			() => h("span"),
			(each, [text, title]) => {
				setText(each, text);
				setAttr(each, "title", title);
			},
		);
		const word = trouble(stage, now);
		setLevel(node, stage.level === "well" && word ? "soon" : stage.level);
		node.classList.toggle("troubled", Boolean(word));
		chip.hidden = !word;
		if (word) {
			const wanted = number(stage.away_since_ms) ? "away" : stage.level;
			if (icons !== wanted)
				chip.firstChild.replaceChildren(icon((icons = wanted)));
			setText(chip.lastChild, word);
			setAttr(
				chip,
				"title",
				number(stage.away_since_ms)
					? `since\n${timeExact(stage.away_since_ms)}`
					: null,
			);
		}
		reason.hidden = !stage.reason;
		setText(reason, stage.reason);
	};
	return node;
}

/** Curves that fan out from the middle to `n` boxes, or in from them. */
function fan(n, inwards) {
	const ends = Array.from(
		{ length: n },
		(_, index) => ((index + 0.5) / n) * 100,
	);
	return ends
		.map((y) =>
			inwards ? `M0 ${y}C50 ${y} 50 50 100 50` : `M0 50C50 50 50 ${y} 100 ${y}`,
		)
		.join("");
}

function edge() {
	const line = s("path", { "vector-effect": "non-scaling-stroke" });
	const labels = h("div", { class: "edge-labels" });
	const node = h(
		"li",
		{ class: "edge", "aria-hidden": "true" },
		s("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, line),
		labels,
	);
	node.set = (d, rates) => {
		setAttr(line, "d", d);
		keyed(
			labels,
			rates,
			(_, index) => index,
			() => h("span"),
			(each, [share, value, title]) => {
				each.style.top = `${share}%`;
				setText(each, value);
				setAttr(each, "title", title);
			},
		);
	};
	return node;
}

/** `{ element, update(stages, now) }`. */
export function graph() {
	const [source, decode, sink] = [box(), box(), box()];
	const [in1, in2, out] = [edge(), edge(), edge()];
	const views = h("ul", { class: "stage-views" });
	const element = h(
		"ul",
		{
			class: "graph",
			"aria-label": "The pipeline: Kafka, decode, feature views, Redis",
		},
		source,
		in1,
		decode,
		in2,
		h("li", { class: "stage-stack" }, views),
		out,
		sink,
	);
	return {
		element,
		update(stages, now) {
			const of = (kind) => stages.find((stage) => stage.kind === kind);
			const list = stages.filter((stage) => stage.kind === "feature_view");
			for (const [node, kind] of [
				[source, "source"],
				[decode, "decode"],
				[sink, "sink"],
			]) {
				const stage = of(kind);
				if (stage) node.set(stage, now);
			}
			keyed(
				views,
				list,
				(stage) => stage.id,
				() => box(),
				(node, stage) => node.set(stage, now),
			);
			const [read, decoded, written] = [
				of("source")?.rate_per_s,
				of("decode")?.rate_per_s,
				of("sink")?.rate_per_s,
			];
			const n = Math.max(1, list.length);
			in1.set("M0 50H100", [
				[50, rate(read), exact(read, "records per second")],
			]);
			in2.set(fan(n, false), [
				[50, rate(decoded), exact(decoded, "events per second, to every view")],
			]);
			out.set(
				fan(n, true),
				n <= 8
					? list.map((stage, index) => [
							((index + 0.5) / n) * 100,
							rate(stage.rate_per_s),
							exact(stage.rate_per_s, `rows per second from ${stage.name}`),
						])
					: [[50, rate(written), exact(written, "rows per second")]],
			);
			element.dataset.views = String(n);
		},
	};
}
