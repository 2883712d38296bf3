// All consumer groups.

import { empty, h } from "/assets/shared/dom.js";
import { middle, plural } from "/assets/shared/format.js";
import { table } from "/assets/shared/table.js";
import { chip, countColumn, groupPath, groupState } from "../parts.js";

export const every = 5000;
export const title = () => "Groups";
export const urls = () => ["/api/groups"];

export function mount(root) {
	const groups = table({
		caption: "Consumer groups",
		filter: "Filter groups",
		stickFirst: true,
		key: (row) => row.group,
		sort: { column: "group", descending: false },
		empty: empty(
			"No consumer groups",
			"A group appears when a consumer joins it or commits an offset: for example a pipeline that runs.",
		),
		columns: [
			{
				id: "group",
				label: "Group",
				text: (row) => middle(row.group, 60),
				value: (row) => row.group,
				href: (row) => groupPath(row.group),
				exact: (row) => row.group,
				copy: (row) => row.group,
			},
			{
				id: "state",
				label: "State",
				text: (row) => groupState(row.state).word,
				fill: (cell, row) =>
					chip(
						cell,
						groupState(row.state).level,
						groupState(row.state).word,
						row.state,
					),
			},
			{
				id: "kind",
				label: "Protocol",
				title: "consumer is the protocol of Kafka 4",
				text: (row) => row.kind || "–",
			},
			countColumn("members", "Members", (row) => row.members),
			countColumn(
				"lag",
				"Lag",
				(row) => row.lag,
				"Records between what is committed and the ends, all partitions",
			),
			{
				id: "topics",
				label: "Topics",
				text: (row) => row.topics.join(", ") || "–",
				exact: (row) => row.topics.join("\n"),
				fill: (cell, row) =>
					(cell.textContent =
						row.topics.length <= 2
							? row.topics.map((topic) => middle(topic, 40)).join(", ") || "–"
							: `${middle(row.topics[0], 40)} and ${plural(row.topics.length - 1, "more", "more")}`),
			},
		],
	});
	root.append(
		h("h1", { text: "Consumer groups" }),
		h("p", {
			class: "lead section-lead",
			text: "Who reads, how far each has come, and what is left.",
		}),
		groups.element,
	);
	return { update: ({ groups: all }) => groups.update(all) };
}
