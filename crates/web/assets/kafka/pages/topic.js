// One topic: its partitions, who reads it, its settings.

import { empty, h, setText } from "/assets/shared/dom.js";
import { bytes, count, exact, plural } from "/assets/shared/format.js";
import { table } from "/assets/shared/table.js";
import {
	bytesColumn,
	chip,
	countColumn,
	crumbs,
	exactColumn,
	figures,
	groupPath,
	groupState,
	messagesPath,
	section,
} from "../parts.js";
import { sending } from "../send.js";

export const every = 5000;
export const title = ({ name }) => name;
export const urls = ({ name }) => [
	`/api/topics/${encodeURIComponent(name)}`,
	"/api/groups",
];

export function mount(root, { params: { name } }) {
	let topic = null;
	const send = sending(name, () => topic?.partitions ?? null);
	const head = figures(
		[
			{ id: "records", label: "Records" },
			{ id: "bytes", label: "Size" },
			{ id: "partitions", label: "Partitions" },
			{ id: "policy", label: "Kept" },
		],
		"The topic",
	);
	const partitions = table({
		caption: "Partitions",
		key: (row) => row.partition,
		sort: { column: "partition", descending: false },
		mark: (row) =>
			row.leader === null
				? "act"
				: row.in_sync.length < row.replicas.length
					? "soon"
					: null,
		columns: [
			{
				id: "partition",
				label: "Partition",
				text: (row) => `${row.partition}`,
				value: (row) => row.partition,
				href: (row) => messagesPath(name, `partition=${row.partition}`),
			},
			exactColumn(
				"first",
				"First offset",
				(row) => row.first,
				"Offset of the oldest record",
			),
			exactColumn(
				"end",
				"End offset",
				(row) => row.end,
				"Offset behind the newest record",
			),
			countColumn("records", "Records", (row) => row.records),
			bytesColumn(
				"bytes",
				"Size",
				(row) => row.bytes,
				"Bytes of the leader's copy on disk",
			),
			{
				id: "leader",
				label: "Leader",
				text: (row) => (row.leader === null ? "none" : `${row.leader}`),
				value: (row) => row.leader,
			},
			{
				id: "replicas",
				label: "Replicas",
				text: (row) => row.replicas.join(", "),
			},
			{
				id: "in_sync",
				label: "In sync",
				text: (row) => row.in_sync.join(", "),
				fill: (cell, row) => {
					const level =
						row.leader === null
							? "act"
							: row.in_sync.length < row.replicas.length
								? "soon"
								: "well";
					chip(
						cell,
						level,
						row.in_sync.join(", ") || "none",
						"Brokers whose copy is in sync",
					);
				},
			},
		],
	});
	const groups = table({
		caption: "Groups that read this topic",
		whole: true,
		key: (row) => row.group,
		sort: { column: "group", descending: false },
		empty: empty(
			"Nobody reads it",
			"No consumer group has offsets or members for this topic.",
		),
		columns: [
			{
				id: "group",
				label: "Group",
				text: (row) => row.group,
				href: (row) => groupPath(row.group),
				exact: (row) => row.group,
			},
			{
				id: "state",
				label: "State",
				text: (row) => groupState(row.state).word,
				fill: (cell, row) =>
					chip(cell, groupState(row.state).level, groupState(row.state).word),
			},
			countColumn("members", "Members", (row) => row.members),
			countColumn(
				"lag",
				"Lag, all topics",
				(row) => row.lag,
				"Records between what is committed and the ends",
			),
		],
	});
	const changed = h("input", {
		type: "checkbox",
		checked: true,
		on: { change: () => settings.update(shown()) },
	});
	const settings = table({
		caption: "Settings",
		filter: "Filter settings",
		whole: true,
		key: (row) => row.name,
		sort: { column: "name", descending: false },
		tools: [
			h(
				"label",
				{ class: "check" },
				changed,
				"Only what differs from Kafka's defaults",
			),
		],
		empty: empty(
			"All settings are Kafka's defaults",
			"Untick the box to see them.",
		),
		columns: [
			{ id: "name", label: "Setting", mono: true, text: (row) => row.name },
			{
				id: "value",
				label: "Value",
				mono: true,
				wrap: true,
				text: (row) =>
					row.secret
						? "secret"
						: row.value === ""
							? "(empty)"
							: (row.value ?? "–"),
				copy: (row) => row.value ?? "",
			},
			{
				id: "source",
				label: "Set by",
				text: (row) => SOURCES[row.source] ?? row.source,
			},
		],
	});
	const shown = () =>
		(topic?.config ?? []).filter(
			(setting) => !changed.checked || !setting.default,
		);
	const trouble = h("p", { class: "muted" });
	const settingsPart = section("Settings", trouble, settings.element);
	root.append(
		crumbs(["Topics", "/"]),
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: name }),
			h(
				"div",
				{ class: "page-actions" },
				h("a", {
					class: "button primary",
					href: messagesPath(name),
					"data-page": true,
					text: "Messages",
				}),
				send.button,
			),
		),
		head.element,
		section("Partitions", partitions.element).element,
		section("Read by", groups.element).element,
		settingsPart.element,
		send.dialog,
	);

	return {
		update(said, { groups: all }) {
			topic = said;
			const setting = (id) => said.config.find((one) => one.name === id)?.value;
			head.set(
				"records",
				count(said.records),
				"offsets in use",
				exact(said.records),
			);
			head.set(
				"bytes",
				bytes(said.bytes),
				said.replication > 1
					? `${bytes(said.replica_bytes)} with all copies`
					: "one copy",
				exact(said.bytes, "bytes"),
			);
			const bad = said.leaderless
				? [`${count(said.leaderless)} without a leader`, "act"]
				: said.under_replicated
					? [`${count(said.under_replicated)} with copies behind`, "soon"]
					: null;
			head.set(
				"partitions",
				count(said.partitions),
				bad?.[0] ?? plural(said.replication, "copy of each", "copies of each"),
				null,
				bad?.[1],
			);
			head.set("policy", ...kept(setting));
			partitions.update(said.partition_list);
			groups.update(all.filter((group) => group.topics.includes(name)));
			setText(trouble, said.config_trouble ?? "");
			settings.update(shown());
		},
		close: () => send.dialog.close(),
	};
}

const SOURCES = {
	topic: "this topic",
	broker: "the broker",
	cluster: "the cluster",
	default: "default",
};

/** How long records are kept, in a figure and a note. */
function kept(setting) {
	const policy = setting("cleanup.policy") ?? "";
	const [ms, size] = [
		Number(setting("retention.ms")),
		Number(setting("retention.bytes")),
	];
	const compacted = policy.includes("compact");
	if (!policy.includes("delete"))
		return compacted ? ["newest per key", "compacted"] : ["–"];
	const days = ms / 86_400_000;
	const time = !(ms >= 0)
		? "for ever"
		: days >= 1
			? plural(Math.round(days * 10) / 10, "day")
			: plural(Math.round(ms / 360_000) / 10, "hour");
	const limits = [
		size >= 0 ? `at most ${bytes(size)} a partition` : null,
		compacted ? "compacted" : null,
	].filter(Boolean);
	return [
		time,
		limits.join(", ") || "deleted by age",
		ms >= 0 ? `${exact(ms)} ms` : null,
	];
}
