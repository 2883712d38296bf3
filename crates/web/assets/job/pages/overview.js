// Overview: is it running, is it behind, is it right – and the last hour.

import {
	copyable,
	guarded,
	h,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	ago,
	bytes,
	clock,
	count,
	day,
	exact,
	percent,
	rate,
	setting,
	span,
	timeBeside,
	timeExact,
} from "/assets/shared/format.js";
import { sparkline, timeCharts } from "../charts.js";
import { graph } from "../graph.js";

export const title = () => "Overview";
export const twin = () => "/api/overview";

function figure(label, line) {
	const value = h("div", { class: "figure-value" }, h("span"), h("small"));
	const note = h("div", { class: "figure-note" });
	const node = h(
		"div",
		{ class: "figure" },
		h("div", { class: "figure-label", text: label }),
		h("div", { class: "figure-line" }, value, line),
		note,
	);
	return {
		node,
		set(text, small, exactly, below) {
			setText(value.firstChild, text);
			setText(value.lastChild, small ?? "");
			setAttr(value, "title", exactly);
			setText(note, below);
		},
	};
}

const WORDS = {
	running: "Running",
	starting: "Starting",
	stopping: "Stopping",
	degraded: "Not everything is running",
};

function verdict(data) {
	const { state } = data.job;
	const behind = data.totals.behind_ms;
	const what = WORDS[state] ?? state;
	if (data.totals.records === 0 && data.totals.lag === 0)
		return `${what}, and waiting for the first event.`;
	if (behind === null || behind === undefined)
		return `${what}. How far behind is not known yet.`;
	if (data.totals.lag === 0)
		return state === "degraded"
			? `${what}. What there is was read.`
			: `${what}, caught up.`;
	return `${what}${state === "degraded" ? "." : ","} ${span(behind)} behind.`;
}

function right({
	late_events: late,
	dead_letters: dead,
	refused_rows: refused,
}) {
	const said = [
		[late, "late event"],
		[dead, "dead letter"],
		[refused, "refused row"],
	]
		.filter(([n]) => n > 0)
		.map(([n, word]) => `${count(n)} ${word}${n === 1 ? "" : "s"}`);
	return said.length
		? `${said.join(", ")} since the start`
		: "No late events, dead letters or refused rows since the start";
}

export function mount(root) {
	let history = null;
	const sparks = Object.fromEntries(
		["records_per_s", "lag", "watermark_delay_ms", "rows_per_s"].map(
			(series) => [series, sparkline({ fewest: 6 })],
		),
	);
	const due = h("div", { class: "bar due" }, h("span"));
	const events = figure("events/s", sparks.records_per_s.element);
	const behind = figure("behind", sparks.lag.element);
	const watermark = figure("watermark", sparks.watermark_delay_ms.element);
	const rows = figure("rows/s to Redis", sparks.rows_per_s.element);
	const checkpoint = figure("last checkpoint", due);

	const head = h("h1");
	const wrong = h("a", { href: "/problems", "data-page": true });
	const first = h(
		"div",
		{ class: "notice level-plain first-events", hidden: true },
		h(
			"div",
			null,
			h("strong", { text: "No events yet." }),
			" The topic has nothing to read. Believable shoppers can be sent from a terminal:",
			copyable(
				"windrow generate --to kafka --backlog 2h --rate 20",
				"the command that sends events",
			),
		),
	);
	const picture = graph();
	const share = h(
		"p",
		{ class: "shares tiny muted" },
		["busy", "idle", "backpressured"].map((kind) =>
			h("span", { data: { kind } }),
		),
	);
	const shareBar = h(
		"div",
		{ class: "share-bar", role: "img" },
		["busy", "idle", "backpressured"].map((kind) =>
			h("span", { data: { kind } }),
		),
	);
	const charts = timeCharts([
		{
			label: "Events/s",
			lines: [{ series: "records_per_s" }],
			format: rate,
			exact: (v) => exact(v, "events per second"),
		},
		{
			label: "Lag",
			lines: [{ series: "lag" }],
			format: count,
			exact: (v) => exact(v, "records"),
		},
		{
			label: "Watermark delay",
			lines: [{ series: "watermark_delay_ms" }],
			format: span,
			exact: (v) => exact(v, "ms behind the wall clock"),
		},
		{
			label: "Kafka to Redis",
			lines: [
				{ series: "freshness_p50_ms", name: "p50" },
				{ series: "freshness_p99_ms", name: "p99", dashed: true },
			],
			format: span,
			exact: (v) =>
				exact(v, "ms from a record's arrival in Kafka to its row in Redis"),
		},
	]);

	const figures = h(
		"section",
		{ class: "figures headline", "aria-label": "At a glance" },
		events.node,
		behind.node,
		watermark.node,
		rows.node,
		checkpoint.node,
	);
	const pipeline = h(
		"section",
		{ class: "section", "aria-label": "Pipeline" },
		picture.element,
		h(
			"div",
			{ class: "workers" },
			h("span", { class: "tiny muted", text: "Workers" }),
			shareBar,
			share,
		),
	);
	root.append(
		h("div", { class: "verdict" }, head, h("p", { class: "lead" }, wrong)),
		first,
		figures,
		pipeline,
		charts.element,
	);

	return {
		update(data) {
			const { totals, now_ms: now } = data;
			setText(head, verdict(data));
			setText(wrong, right(totals));
			first.hidden = !(totals.records === 0 && totals.lag === 0);
			guarded(figures, () => {
				events.set(
					count(totals.records_per_s),
					"",
					exact(
						totals.records_per_s,
						"events per second, over the last ten seconds",
					),
					`${count(totals.records)} since the start`,
				);
				const caught = totals.lag === 0;
				behind.set(
					caught ? "nothing" : span(totals.behind_ms),
					"",
					`${exact(totals.behind_ms, "ms")}, lag ${exact(totals.lag, "records")}`,
					caught
						? "everything there is was read"
						: typeof totals.lag === "number"
							? `${count(totals.lag)} records to read`
							: "not known yet",
				);
				const mark = totals.watermark_ms ?? null;
				watermark.set(
					mark === null ? "–" : clock(mark),
					"",
					timeExact(mark),
					mark === null
						? "no event yet"
						: [
								day(mark),
								`${span(totals.watermark_delay_ms)} before now`,
								timeBeside(mark),
							]
								.filter(Boolean)
								.join(" · "),
				);
				rows.set(
					count(totals.rows_per_s),
					"",
					exact(
						totals.rows_per_s,
						"rows per second, over the last ten seconds",
					),
					`${count(totals.rows)} since the start`,
				);
				const last = data.checkpoint;
				const age = last?.age_ms ?? null;
				checkpoint.set(
					age === null ? "none yet" : ago(age),
					"",
					age === null ? null : `${exact(age, "ms")} ago`,
					age === null
						? `every ${setting(last?.every_ms)}`
						: [
								bytes(last.state_bytes),
								`took ${span(last.duration_ms)}`,
								last.failed > 0 ? `${count(last.failed)} failed` : null,
							]
								.filter(Boolean)
								.join(" · "),
				);
				const used =
					age === null || !last.every_ms ? 0 : Math.min(1, age / last.every_ms);
				due.firstChild.style.transform = `scaleX(${used})`;
				setLevel(
					due,
					age !== null && age > 3 * last.every_ms
						? "act"
						: age !== null && age > 1.5 * last.every_ms
							? "soon"
							: "plain",
				);
				setAttr(due, "title", `a checkpoint every ${setting(last?.every_ms)}`);
			});
			guarded(pipeline, () => {
				picture.update(data.stages ?? [], now);
				const words = {
					busy: "busy",
					idle: "waiting for events",
					backpressured: "waiting for Redis",
				};
				for (const node of [...share.children, ...shareBar.children]) {
					const { kind } = node.dataset;
					if (node.parentNode === share)
						setText(node, `${words[kind]} ${percent(totals[kind])}`);
					else node.style.flexGrow = String(Math.max(0, totals[kind] ?? 0));
				}
				setAttr(
					shareBar,
					"aria-label",
					Object.keys(words)
						.map((kind) => `${words[kind]} ${percent(totals[kind])}`)
						.join(", "),
				);
			});
			if (data.history) {
				history = data.history;
				guarded(charts.element, () => {
					for (const [series, spark] of Object.entries(sparks))
						spark.update(history[series] ?? []);
					charts.update(history, data.marks ?? []);
				});
			}
		},
	};
}
