// All consumer groups.

import { countColumn } from "/assets/shared/columns.js";
import { h, setText } from "/assets/shared/dom.js";
import { plural, shorten, UNKNOWN } from "/assets/shared/format.js";
import { Table } from "/assets/shared/table.js";
import { emptyState } from "/assets/shared/widgets.js";
import { fillChip, groupPath, groupState } from "../parts.js";

/** @import { Column, KafkaPage } from "/types/components.js" */
/** @import { GroupsAnswer, GroupSummary } from "/types/kafka-api.js" */

export const refreshMs = 5000;
export const title = () => "Groups";
export const jsonUrls = () => ["/api/groups"];

/** @param {string[]} topics */
function describeTopics(topics) {
	const names = topics.map((topic) => shorten(topic, 40));
	if (names.length <= 2) return names.join(", ") || UNKNOWN;
	return `${names[0]} and ${plural(names.length - 1, "more", "more")}`;
}

/** @type {Column<GroupSummary>[]} */
const COLUMNS = [
	{
		id: "group",
		label: "Group",
		text: (row) => shorten(row.group, 60),
		value: (row) => row.group,
		href: (row) => groupPath(row.group),
		exact: (row) => row.group,
		copy: (row) => row.group,
	},
	{
		id: "state",
		label: "State",
		text: (row) => groupState(row).word,
		fill(cell, row) {
			const { level, word } = groupState(row);
			fillChip(cell, level, word, row.state);
		},
	},
	{
		id: "kind",
		label: "Protocol",
		title: "consumer is the protocol of Kafka 4",
		text: (row) => row.kind || UNKNOWN,
	},
	countColumn("members", "Members", (row) => row.members),
	countColumn(
		"lag",
		"Lag",
		(row) => row.lag,
		"Records between the committed offsets and the ends, all partitions",
	),
	{
		id: "topics",
		label: "Topics",
		text: (row) => row.topics.join(", ") || UNKNOWN,
		exact: (row) => row.topics.join("\n"),
		fill: (cell, row) => setText(cell, describeTopics(row.topics)),
	},
];

/** @type {KafkaPage<[GroupsAnswer]>["mount"]} */
export function mount(root) {
	const table = new Table({
		caption: "Consumer groups",
		filter: "Filter groups",
		stickFirst: true,
		key: (row) => row.group,
		sort: { column: "group", descending: false },
		empty: emptyState(
			"No consumer groups",
			"A group appears when a consumer joins it or commits an offset: for example a running pipeline.",
		),
		columns: COLUMNS,
	});
	root.append(
		h("h1", { text: "Consumer groups" }),
		h("p", {
			class: "lead section-lead",
			text: "Which groups read, how far each is, and how much is left.",
		}),
		table.element,
	);
	return { update: ({ groups }) => table.update(groups) };
}
