// One consumer group: lag by partition, and its members.

import {
	countColumn,
	idColumn,
	offsetColumn,
	partitionColumn,
} from "/assets/shared/columns.js";
import { h, setText } from "/assets/shared/dom.js";
import {
	formatCount,
	formatExact,
	shorten,
	UNKNOWN,
} from "/assets/shared/format.js";
import { Table } from "/assets/shared/table.js";
import { emptyState } from "/assets/shared/widgets.js";
import {
	breadcrumbs,
	createFigures,
	createSection,
	groupState,
	topicPath,
} from "../parts.js";

/** @import { Column, KafkaPage, KafkaPageParams } from "/types/components.js" */
/** @import { Group, GroupMember, GroupPartitionProgress } from "/types/kafka-api.js" */

export const refreshMs = 3000;

/** @param {KafkaPageParams} params */
export const title = ({ name }) => name;

/** @param {KafkaPageParams} params */
export const jsonUrls = ({ name }) => [
	`/api/groups/${encodeURIComponent(name)}`,
];

/**
 * Returns how many records Kafka deleted before the group read them.
 * @param {GroupPartitionProgress} row
 */
const deletedUnread = ({ committed, first }) =>
	committed === null || first === null ? 0 : Math.max(0, first - committed);

/** @type {Column<GroupPartitionProgress>[]} */
const PARTITION_COLUMNS = [
	{
		id: "topic",
		label: "Topic",
		text: (row) => row.topic,
		href: (row) => topicPath(row.topic),
		exact: (row) => row.topic,
	},
	partitionColumn(),
	{
		...countColumn("lag", "Lag", (row) => row.lag, "Records left to read"),
		text: (row) => {
			const deleted = deletedUnread(row);
			return deleted
				? `${formatCount(row.lag)}, of these ${formatCount(deleted)} deleted unread`
				: formatCount(row.lag);
		},
	},
	offsetColumn(
		"committed",
		"Committed",
		(row) => row.committed,
		"The offset from which the group continues",
	),
	offsetColumn(
		"end",
		"End",
		(row) => row.end,
		"Offset after the newest record",
	),
	idColumn("client", "Client", (row) => row.client, 28, false),
	{ id: "host", label: "Host", text: (row) => row.host ?? UNKNOWN },
	idColumn("member", "Member", (row) => row.member),
];

/** @type {Column<GroupMember>[]} */
const MEMBER_COLUMNS = [
	idColumn("client", "Client", (row) => row.client, 32, false),
	{ id: "host", label: "Host", text: (row) => row.host },
	countColumn("partitions", "Partitions", (row) => row.partitions),
	idColumn("instance", "Instance", (row) => row.instance),
	idColumn("member", "Member", (row) => row.member, 36),
];

const createPartitionTable = () =>
	new Table({
		caption: "Partitions",
		filter: "Filter partitions",
		key: (row) => `${row.partition} ${row.topic}`,
		mark: (row) => (deletedUnread(row) ? "act" : null),
		empty: emptyState(
			"Nothing committed, nothing assigned",
			"The group has no offsets, and no member has partitions.",
		),
		columns: PARTITION_COLUMNS,
	});

const createMemberTable = () =>
	new Table({
		caption: "Members",
		whole: true,
		key: (row) => row.member,
		sort: { column: "client", descending: false },
		empty: emptyState(
			"No members",
			"The group has no members now. Kafka keeps its offsets until they expire (offsets.retention.minutes, a week by default).",
		),
		columns: MEMBER_COLUMNS,
	});

function createGroupFigures() {
	const figures = createFigures("The group", {
		state: "State",
		lag: "Lag",
		members: "Members",
		partitions: "Partitions",
	});
	/** @param {Group} group */
	function describeLag({ lag }) {
		if (lag === null) return "nothing committed";
		return lag === 0 ? "at the end" : "records left to read";
	}
	return {
		element: figures.element,
		/** @param {Group} group */
		update(group) {
			const { members, lag, partition_list: partitions } = group;
			const assigned = partitions.filter(({ member }) => member !== null);
			figures.set(
				"state",
				groupState(group).word,
				`${group.kind || "classic"} protocol, broker ${group.coordinator}`,
				group.state,
			);
			figures.set(
				"lag",
				formatCount(lag),
				describeLag(group),
				formatExact(lag),
			);
			figures.set(
				"members",
				formatCount(members),
				members === 0 ? "none reads now" : "reading now",
			);
			figures.set(
				"partitions",
				formatCount(partitions.length),
				members ? `${formatCount(assigned.length)} assigned` : "with an offset",
			);
		},
	};
}

/** @type {KafkaPage<[Group]>["mount"]} */
export function mount(root, { params: { name } }) {
	const figures = createGroupFigures();
	const partitions = createPartitionTable();
	const members = createMemberTable();
	const assignor = h("p", { class: "muted tiny" });
	root.append(
		breadcrumbs(["Groups", "/groups"]),
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: shorten(name, 80), title: name }),
		),
		figures.element,
		createSection("Partitions", partitions.element),
		createSection("Members", members.element, assignor),
	);
	return {
		update(group) {
			figures.update(group);
			partitions.update(group.partition_list);
			members.update(group.member_list);
			setText(
				assignor,
				group.assignor ? `${group.assignor} assigns the partitions.` : "",
			);
		},
	};
}
