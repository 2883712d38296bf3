// Pipeline: the file in use, and the plan in words.

import { h } from "/assets/shared/dom.js";
import { formatSetting } from "/assets/shared/format.js";
import {
	actionButton,
	copyText,
	factList,
	icon,
	sectionHead,
} from "/assets/shared/widgets.js";
import { tomlLines } from "../toml.js";
import { describeWindow, windowDrawing } from "../windows.js";

/** @import { JobPage } from "/types/components.js" */
/** @import { FeaturePlan, FeatureViewPlan, Pipeline, PipelinePlan } from "/types/job-api.js" */

export const title = () => "Pipeline";
export const jsonUrl = () => "/api/pipeline";
export const live = false;

/** What happens to records in the wrong partition, by the setting `on_misplaced`. */
const MISPLACED_RECORD_TEXTS = {
	warn: "is processed and shown",
	dead_letter: "becomes a dead letter",
	halt: "halts the job",
};

/** @param {string} text */
const code = (text) => h("code", { text });

/** @param {PipelinePlan["watermark"]} watermark */
function describeIdleTimeout(watermark) {
	const { idle_timeout_ms: timeout, idle_timeout_includes_history: all } =
		watermark;
	if (timeout === null) return "keep their watermark until the next event";
	return `follow the wall clock after ${formatSetting(timeout)} without a record${all ? "" : ", unless their events are more than a day old"}`;
}

/** @param {FeaturePlan} feature */
function featureRow(feature) {
	const fallback = feature.default ?? null;
	return h(
		"tr",
		null,
		h("th", { scope: "row", class: "mono", text: feature.name }),
		h("td", { class: "mono", text: feature.aggregate }),
		h("td", { class: "mono wrap", text: feature.where ?? "every event" }),
		h("td", {
			class: "mono",
			text: fallback === null ? "–" : JSON.stringify(fallback),
		}),
	);
}

/** @param {FeatureViewPlan} view */
function featureTable(view) {
	const heads = ["Feature", "Computes", "Of events where", "If none"].map(
		(text) => h("th", { scope: "col", text }),
	);
	return h(
		"div",
		{
			class: "table-scroll whole",
			tabindex: "0",
			role: "group",
			"aria-label": `Features of ${view.name}`,
		},
		h(
			"table",
			null,
			h("thead", null, h("tr", null, heads)),
			h("tbody", null, view.features.map(featureRow)),
		),
	);
}

/** @param {FeatureViewPlan} view */
function featureViewSection(view) {
	const { sliding } = view.window;
	return h(
		"section",
		{ class: "plan-view", "aria-label": view.name },
		h(
			"div",
			{ class: "plan-view-head" },
			h(
				"div",
				null,
				h("h3", { text: view.name }),
				h("p", { class: "muted", text: describeWindow(view.window) }),
			),
			windowDrawing(view.window),
		),
		factList([
			["key in Redis", code(view.key)],
			["kept for", view.ttl_ms ? formatSetting(view.ttl_ms) : "ever"],
			[
				"allowed lateness",
				view.allowed_lateness_ms
					? formatSetting(view.allowed_lateness_ms)
					: null,
			],
			[
				"when empty",
				{ keep: null, zero: "zeros are written", delete: "the row is deleted" }[
					view.when_empty
				],
			],
			["panes", sliding ? `${formatSetting(sliding.pane_ms)} each` : null],
		]),
		featureTable(view),
	);
}

/** @param {PipelinePlan} plan */
function planFacts({ source, event, watermark, checkpoint, sink }) {
	const fields = event.fields.map(({ name, type }, index) => [
		index ? ", " : null,
		code(name),
		` ${type}`,
	]);
	return factList([
		["reads", [code(source.topic), " at ", code(source.brokers)]],
		["as group", [code(source.group), `, ${source.group_protocol} protocol`]],
		["event key", code(event.key)],
		[
			"event time",
			[code(event.time), ` (${event.time_zone} where it names no zone)`],
		],
		["fields", fields.length ? fields : null],
		[
			"out of order",
			`by at most ${formatSetting(watermark.max_out_of_orderness_ms)}; an event that comes later may be late`,
		],
		["idle partitions", describeIdleTimeout(watermark)],
		[
			"the future",
			watermark.max_future_ms === null
				? "an event may have any time"
				: `an event more than ${formatSetting(watermark.max_future_ms)} later than the wall clock is a dead letter`,
		],
		[
			"checkpoints",
			[
				`every ${formatSetting(checkpoint.every_ms)}, the last ${checkpoint.keep}, at `,
				code(checkpoint.store),
			],
		],
		["writes to", code(sink.redis)],
		[
			"a fault of one partition",
			source.on_partition_fault === "park"
				? "parks the partition, which is opened again later"
				: "halts the job",
		],
		[
			"a lost offset",
			source.on_lost_offset === "halt"
				? "is a fault of the partition"
				: "begins at the earliest record",
		],
		["a misplaced record", MISPLACED_RECORD_TEXTS[source.on_misplaced]],
	]);
}

/** @param {string} text */
function fileParts(text) {
	const copy = actionButton("Copy", () => copyText(text), "button small");
	copy.prepend(icon("copy"));
	return [
		sectionHead("The file", h("span", { class: "end" }, copy)),
		h(
			"div",
			{
				class: "toml-scroll",
				tabindex: "0",
				role: "group",
				"aria-label": "The pipeline file",
			},
			tomlLines(text),
		),
	];
}

/** @type {JobPage<Pipeline>["mount"]} */
export function mount(root) {
	const file = h("section", { class: "plan-file", "aria-label": "The file" });
	const plan = h("section", { class: "plan", "aria-label": "The plan" });
	const head = h("h1", { text: "Pipeline" });
	root.append(
		head,
		h("p", {
			class: "lead",
			text: "The file in use, with overrides and without secrets, and the plan made from it.",
		}),
		h("div", { class: "plan-columns" }, plan, file),
	);
	return {
		update(data) {
			head.textContent = data.name;
			file.replaceChildren(...fileParts(data.text));
			plan.replaceChildren(
				sectionHead("The plan"),
				planFacts(data.plan),
				...data.plan.feature_views.map(featureViewSection),
			);
		},
	};
}
