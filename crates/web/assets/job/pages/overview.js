// Overview: whether the job runs, how far it is behind, what went wrong, and the last hour.

import { h, setAttr, setText } from "/assets/shared/dom.js";
import {
	formatCount,
	formatDuration,
	formatExact,
	formatPercent,
	formatRate,
	isNumber,
	plural,
} from "/assets/shared/format.js";
import { copyableText, runOrShowFault } from "/assets/shared/widgets.js";
import { TimeCharts } from "../charts.js";
import { createPipelineGraph } from "../graph.js";
import { createOverviewFigures } from "./overview-figures.js";

/** @import { JobPage } from "/types/components.js" */
/** @import { Overview, Totals } from "/types/job-api.js" */
/** @import { Chart } from "../charts.js" */

export const title = () => "Overview";
export const jsonUrl = () => "/api/overview";

const STATES = {
	running: "Running",
	starting: "Starting",
	stopping: "Stopping",
	degraded: "Not everything is running",
};

/** @type {[share: "busy" | "idle" | "backpressured", words: string][]} */
const WORKER_SHARES = [
	["busy", "busy"],
	["idle", "waiting for events"],
	["backpressured", "waiting for Redis"],
];

/** @type {Chart[]} */
const CHARTS = [
	{
		label: "Events/s",
		lines: [{ series: "records_per_s" }],
		format: formatRate,
		exact: (value) => formatExact(value, "events per second"),
	},
	{
		label: "Lag",
		lines: [{ series: "lag" }],
		format: formatCount,
		exact: (value) => formatExact(value, "records"),
	},
	{
		label: "Watermark delay",
		lines: [{ series: "watermark_delay_ms" }],
		format: formatDuration,
		exact: (value) => formatExact(value, "ms behind the wall clock"),
	},
	{
		label: "Kafka to Redis",
		lines: [
			{ series: "freshness_p50_ms", name: "p50" },
			{ series: "freshness_p99_ms", name: "p99", dashed: true },
		],
		format: formatDuration,
		exact: (value) =>
			formatExact(
				value,
				"ms from a record's arrival in Kafka to its row in Redis",
			),
	},
];

/**
 * Returns whether the topic has been empty since the start.
 * @param {Totals} totals
 */
const hasNoEvents = ({ records, lag }) => records === 0 && lag === 0;

/**
 * Returns the state of the job in one sentence.
 * @param {Overview} overview
 */
function describeState({ job, totals }) {
	const state = STATES[job.state] ?? job.state;
	const degraded = job.state === "degraded";
	if (hasNoEvents(totals)) return `${state}, and waiting for the first event.`;
	if (!isNumber(totals.behind_ms))
		return `${state}. How far behind is not known yet.`;
	if (totals.lag === 0)
		return degraded
			? `${state}. All available events are read.`
			: `${state}, caught up.`;
	const behind = formatDuration(totals.behind_ms);
	return `${state}${degraded ? "." : ","} ${behind} behind.`;
}

/**
 * Returns what went wrong since the start.
 * @param {Totals} totals
 */
function describeProblems(totals) {
	const problems = [
		plural(totals.late_events, "late event"),
		plural(totals.dead_letters, "dead letter"),
		plural(totals.refused_rows, "refused row"),
	].filter((text) => !text.startsWith("0 "));
	return problems.length
		? `${problems.join(", ")} since the start`
		: "No late events, dead letters or refused rows since the start";
}

/** Creates the notice of a job whose topic is empty. */
function createFirstEventsNotice() {
	const command = copyableText(
		"windrow generate --to kafka --backlog 2h --rate 20",
		"the command that sends events",
	);
	return h(
		"div",
		{ class: "notice level-plain first-events", hidden: true },
		h(
			"div",
			null,
			h("strong", { text: "No events yet." }),
			" The topic is empty. This command sends realistic shop events:",
			command.element,
		),
	);
}

/** Creates the bar of what the workers spend their time on. */
function createWorkerShares() {
	const bar = h("div", { class: "share-bar", role: "img" });
	const words = h("p", { class: "shares tiny muted" });
	const shares = WORKER_SHARES.map(([share, text]) => {
		const part = h("span", { data: { kind: share } });
		const word = h("span", { data: { kind: share } });
		bar.append(part);
		words.append(word);
		/** @param {Totals} totals */
		return (totals) => {
			const label = `${text} ${formatPercent(totals[share])}`;
			part.style.flexGrow = String(Math.max(0, totals[share]));
			setText(word, label);
			return label;
		};
	});
	return {
		element: h(
			"div",
			{ class: "workers" },
			h("span", { class: "tiny muted", text: "Workers" }),
			bar,
			words,
		),
		/** @param {Totals} totals */
		update(totals) {
			const labels = shares.map((updateShare) => updateShare(totals));
			setAttr(bar, "aria-label", labels.join(", "));
		},
	};
}

/** @type {JobPage<Overview>["mount"]} */
export function mount(root) {
	const state = h("h1");
	const problems = h("a", { href: "/problems", "data-page": true });
	const firstEvents = createFirstEventsNotice();
	const figures = createOverviewFigures();
	const graph = createPipelineGraph();
	const workers = createWorkerShares();
	const pipeline = h(
		"section",
		{ class: "section", "aria-label": "Pipeline" },
		graph.element,
		workers.element,
	);
	const charts = new TimeCharts(CHARTS);
	root.append(
		h("div", { class: "verdict" }, state, h("p", { class: "lead" }, problems)),
		firstEvents,
		figures.element,
		pipeline,
		charts.element,
	);
	return {
		update(overview) {
			const { totals, history, marks } = overview;
			setText(state, describeState(overview));
			setText(problems, describeProblems(totals));
			firstEvents.hidden = !hasNoEvents(totals);
			runOrShowFault(figures.element, () => figures.update(overview));
			runOrShowFault(pipeline, () => {
				graph.update(overview.stages, overview.now_ms);
				workers.update(totals);
			});
			if (history)
				runOrShowFault(charts.element, () => {
					figures.updateHistory(history);
					charts.update(history, marks);
				});
		},
	};
}
