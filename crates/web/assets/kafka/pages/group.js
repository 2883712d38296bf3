// One consumer group: lag by partition, and its members.

import { empty, h, setText } from "/assets/shared/dom.js";
import { count, exact, middle, plural } from "/assets/shared/format.js";
import { idColumn, table } from "/assets/shared/table.js";
import {
	countColumn,
	crumbs,
	exactColumn,
	figures,
	groupState,
	section,
	topicPath,
} from "../parts.js";

export const every = 3000;
export const title = ({ name }) => name;
export const urls = ({ name }) => [`/api/groups/${encodeURIComponent(name)}`];

export function mount(root, { params: { name } }) {
	const head = figures(
		[
			{ id: "state", label: "State" },
			{ id: "lag", label: "Lag" },
			{ id: "members", label: "Members" },
			{ id: "partitions", label: "Partitions" },
		],
		"The group",
	);
	const lost = (row) =>
		row.committed !== null && row.first !== null && row.committed < row.first;
	const partitions = table({
		caption: "Partitions",
		filter: "Filter partitions",
		key: (row) => `${row.partition} ${row.topic}`,
		sort: null,
		mark: (row) => (lost(row) ? "act" : null),
		empty: empty(
			"Nothing committed, nothing assigned",
			"The group has no offsets, and no member has partitions.",
		),
		columns: [
			{
				id: "topic",
				label: "Topic",
				text: (row) => row.topic,
				href: (row) => topicPath(row.topic),
				exact: (row) => row.topic,
			},
			{
				id: "partition",
				label: "Partition",
				numeric: true,
				text: (row) => `${row.partition}`,
				value: (row) => row.partition,
			},
			{
				...countColumn("lag", "Lag", (row) => row.lag, "What is left to read"),
				text: (row) =>
					lost(row)
						? `${count(row.lag)}, of these ${count(row.first - row.committed)} deleted unread`
						: count(row.lag),
			},
			exactColumn(
				"committed",
				"Committed",
				(row) => row.committed,
				"Where the group goes on",
			),
			exactColumn(
				"end",
				"End",
				(row) => row.end,
				"Offset behind the newest record",
			),
			{ ...idColumn("client", "Client", (row) => row.client, 28), mono: false },
			{ id: "host", label: "Host", text: (row) => row.host ?? "–" },
			idColumn("member", "Member", (row) => row.member, 24),
		],
	});
	const members = table({
		caption: "Members",
		whole: true,
		key: (row) => row.member,
		sort: { column: "client", descending: false },
		empty: empty(
			"No members",
			"Nobody is in the group now. Its offsets stay until Kafka forgets them (offsets.retention.minutes, a week by default).",
		),
		columns: [
			{ ...idColumn("client", "Client", (row) => row.client, 32), mono: false },
			{ id: "host", label: "Host", text: (row) => row.host },
			countColumn("partitions", "Partitions", (row) => row.partitions),
			idColumn("instance", "Instance", (row) => row.instance, 24),
			idColumn("member", "Member", (row) => row.member, 36),
		],
	});
	const assignor = h("p", { class: "muted tiny" });
	const membersPart = section("Members", members.element, assignor);
	root.append(
		crumbs(["Groups", "/groups"]),
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: middle(name, 80), title: name }),
		),
		head.element,
		section("Partitions", partitions.element).element,
		membersPart.element,
	);
	return {
		update(group) {
			const state = groupState(group.state);
			head.set(
				"state",
				state.word,
				`${group.kind || "classic"} protocol, broker ${group.coordinator}`,
				group.state,
			);
			head.set(
				"lag",
				count(group.lag),
				group.lag === null
					? "nothing committed"
					: group.lag === 0
						? "at the end"
						: "records left to read",
				exact(group.lag),
			);
			head.set(
				"members",
				count(group.members),
				group.members === 0 ? "nobody reads now" : "reading now",
			);
			const owned = group.partition_list.filter(
				(row) => row.member !== null,
			).length;
			head.set(
				"partitions",
				count(group.partition_list.length),
				group.members ? `${count(owned)} assigned` : "with an offset",
			);
			partitions.update(group.partition_list);
			members.update(group.member_list);
			setText(
				assignor,
				group.assignor ? `Partitions are shared out by ${group.assignor}.` : "",
			);
		},
	};
}
