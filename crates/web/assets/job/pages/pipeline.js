// Pipeline: the file as it runs, and the plan in words.

import { copy, h, icon } from "/assets/shared/dom.js";
import { setting } from "/assets/shared/format.js";
import { tomlLines } from "../toml.js";
import { windowDrawing, windowWords } from "../windows.js";

export const title = () => "Pipeline";
export const twin = () => "/api/pipeline";
export const live = false;

const facts = (pairs) =>
	h(
		"dl",
		{ class: "facts" },
		pairs
			.filter(
				([, value]) => value !== null && value !== undefined && value !== "",
			)
			.map(([name, value]) => [h("dt", { text: name }), h("dd", null, value)]),
	);
const code = (text) => h("code", { text });

function view(each) {
	const rows = (each.features ?? []).map((feature) =>
		h(
			"tr",
			null,
			h("th", { scope: "row", class: "mono", text: feature.name }),
			h("td", { class: "mono", text: feature.aggregate }),
			h("td", { class: "mono wrap", text: feature.where ?? "every event" }),
			h("td", {
				class: "mono",
				text:
					feature.default === null || feature.default === undefined
						? "–"
						: JSON.stringify(feature.default),
			}),
		),
	);
	return h(
		"section",
		{ class: "plan-view", "aria-label": each.name },
		h(
			"div",
			{ class: "plan-view-head" },
			h(
				"div",
				null,
				h("h3", { text: each.name }),
				h("p", { class: "muted", text: windowWords(each.window) }),
			),
			windowDrawing(each.window),
		),
		facts([
			["key in Redis", code(each.key)],
			["kept for", each.ttl_ms ? setting(each.ttl_ms) : "ever"],
			[
				"panes",
				each.window?.sliding
					? `${setting(each.window.sliding.pane_ms)} each`
					: null,
			],
		]),
		h(
			"div",
			{
				class: "table-scroll whole",
				tabindex: "0",
				role: "group",
				"aria-label": `Features of ${each.name}`,
			},
			h(
				"table",
				null,
				h(
					"thead",
					null,
					h(
						"tr",
						null,
						["Feature", "Computes", "Of events where", "If none"].map((text) =>
							h("th", { scope: "col", text }),
						),
					),
				),
				h("tbody", null, rows),
			),
		),
	);
}

export function mount(root) {
	const file = h("section", { class: "plan-file", "aria-label": "The file" });
	const plan = h("section", { class: "plan", "aria-label": "The plan" });
	const head = h("h1", { text: "Pipeline" });
	root.append(
		head,
		h("p", {
			class: "lead",
			text: "The file as it runs: with overrides, without secrets; and what was made of it.",
		}),
		h("div", { class: "plan-columns" }, plan, file),
	);
	return {
		update(data) {
			head.textContent = data.name;
			file.replaceChildren(
				h(
					"div",
					{ class: "section-head" },
					h("h2", { text: "The file" }),
					h(
						"span",
						{ class: "end" },
						h(
							"button",
							{
								class: "button small",
								type: "button",
								on: { click: () => copy(data.text) },
							},
							icon("copy"),
							"Copy",
						),
					),
				),
				h(
					"div",
					{
						class: "toml-scroll",
						tabindex: "0",
						role: "group",
						"aria-label": "The pipeline file",
					},
					tomlLines(data.text ?? ""),
				),
			);
			const of = data.plan ?? {};
			plan.replaceChildren(
				h("div", { class: "section-head" }, h("h2", { text: "The plan" })),
				facts([
					[
						"reads",
						of.source
							? [code(of.source.topic), " at ", code(of.source.brokers)]
							: null,
					],
					[
						"as group",
						of.source
							? [
									code(of.source.group),
									`, ${of.source.group_protocol} protocol`,
								]
							: null,
					],
					["event key", of.event ? code(of.event.key) : null],
					[
						"event time",
						of.event
							? [
									code(of.event.time),
									of.event.time_zone
										? ` (${of.event.time_zone} where it names no zone)`
										: null,
								]
							: null,
					],
					[
						"fields",
						of.event?.fields?.length
							? of.event.fields.map((field, index) => [
									index ? ", " : null,
									code(field.name),
									` ${field.type}`,
								])
							: null,
					],
					[
						"out of order",
						of.watermark
							? `by at most ${setting(of.watermark.max_out_of_orderness_ms)}; what comes later may be late`
							: null,
					],
					[
						"checkpoints",
						of.checkpoint
							? [
									`every ${setting(of.checkpoint.every_ms)}, the last ${of.checkpoint.keep}, at `,
									code(of.checkpoint.store),
								]
							: null,
					],
					["writes to", of.sink ? code(of.sink.redis) : null],
					[
						"a lost offset",
						of.source?.on_lost_offset === "halt"
							? "halts the partition"
							: of.source
								? "begins at the earliest record"
								: null,
					],
				]),
				...(of.feature_views ?? []).map(view),
			);
		},
	};
}
