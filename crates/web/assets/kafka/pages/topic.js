// One topic: its partitions, the groups that read it, its settings.

import {
	bytesColumn,
	countColumn,
	offsetColumn,
	partitionColumn,
} from "/assets/shared/columns.js";
import { h, setText } from "/assets/shared/dom.js";
import {
	formatBytes,
	formatCount,
	formatExact,
	plural,
	UNKNOWN,
} from "/assets/shared/format.js";
import { Table } from "/assets/shared/table.js";
import { emptyState } from "/assets/shared/widgets.js";
import {
	breadcrumbs,
	createFigures,
	createSection,
	fillChip,
	groupPath,
	groupState,
	messagesPath,
} from "../parts.js";
import { createSendDialog } from "../send-dialog.js";

/** @import { Column, KafkaPage, KafkaPageParams } from "/types/components.js" */
/** @import { GroupsAnswer, GroupSummary, Topic, PartitionDetails, TopicSetting } from "/types/kafka-api.js" */

export const refreshMs = 5000;

/** @param {KafkaPageParams} params */
export const title = ({ name }) => name;

/** @param {KafkaPageParams} params */
export const jsonUrls = ({ name }) => [
	`/api/topics/${encodeURIComponent(name)}`,
	"/api/groups",
];

const DAY_MS = 86_400_000;
/** @type {Record<string, string>} */
const SETTING_SOURCES = {
	topic: "this topic",
	broker: "the broker",
	cluster: "the cluster",
	default: "default",
};

/** @param {PartitionDetails} partition */
function replicaLevel({ leader, in_sync, replicas }) {
	if (leader === null) return "act";
	return in_sync.length < replicas.length ? "soon" : "well";
}

/**
 * @param {string} topic
 * @returns {Column<PartitionDetails>[]}
 */
const partitionColumns = (topic) => [
	{
		...partitionColumn(false),
		href: (row) => messagesPath(topic, `partition=${row.partition}`),
	},
	offsetColumn(
		"first",
		"First offset",
		(row) => row.first,
		"Offset of the oldest record",
	),
	offsetColumn(
		"end",
		"End offset",
		(row) => row.end,
		"Offset after the newest record",
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
		text: (row) => row.leader ?? "none",
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
		fill: (cell, row) =>
			fillChip(
				cell,
				replicaLevel(row),
				row.in_sync.join(", ") || "none",
				"Brokers whose copy is in sync",
			),
	},
];

/** @type {Column<GroupSummary>[]} */
const GROUP_COLUMNS = [
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
		text: (row) => groupState(row).word,
		fill(cell, row) {
			const { level, word } = groupState(row);
			fillChip(cell, level, word);
		},
	},
	countColumn("members", "Members", (row) => row.members),
	countColumn(
		"lag",
		"Lag, all topics",
		(row) => row.lag,
		"Records between the committed offsets and the ends",
	),
];

/** @param {TopicSetting} setting */
function settingText({ secret, value }) {
	if (secret) return "secret";
	return value === "" ? "(empty)" : (value ?? UNKNOWN);
}

/** @type {Column<TopicSetting>[]} */
const SETTING_COLUMNS = [
	{ id: "name", label: "Setting", mono: true, text: (row) => row.name },
	{
		id: "value",
		label: "Value",
		mono: true,
		wrap: true,
		text: settingText,
		copy: (row) => row.value ?? "",
	},
	{
		id: "source",
		label: "Set by",
		text: (row) => SETTING_SOURCES[row.source] ?? row.source,
	},
];

/** @param {string} topic */
const createPartitionTable = (topic) =>
	new Table({
		caption: "Partitions",
		key: (row) => row.partition,
		sort: { column: "partition", descending: false },
		mark: (row) => {
			const level = replicaLevel(row);
			return level === "well" ? null : level;
		},
		columns: partitionColumns(topic),
	});

const createGroupTable = () =>
	new Table({
		caption: "Groups that read this topic",
		whole: true,
		key: (row) => row.group,
		sort: { column: "group", descending: false },
		empty: emptyState(
			"No group reads it",
			"No consumer group has offsets or members for this topic.",
		),
		columns: GROUP_COLUMNS,
	});

/** Creates the section of the settings, which hides Kafka's defaults at first. */
function createSettings() {
	/** @type {TopicSetting[]} */
	let settings = [];
	const onlyChanged = h("input", {
		type: "checkbox",
		checked: true,
		on: { change: draw },
	});
	const table = new Table({
		caption: "Settings",
		filter: "Filter settings",
		whole: true,
		key: (row) => row.name,
		sort: { column: "name", descending: false },
		tools: [
			h(
				"label",
				{ class: "check" },
				onlyChanged,
				"Only what differs from Kafka's defaults",
			),
		],
		empty: emptyState(
			"All settings are Kafka's defaults",
			"Untick the box to see them.",
		),
		columns: SETTING_COLUMNS,
	});
	const trouble = h("p", { class: "muted" });
	function draw() {
		table.update(
			settings.filter((setting) => !onlyChanged.checked || !setting.default),
		);
	}
	return {
		element: createSection("Settings", trouble, table.element),
		/** @param {Topic} topic */
		update({ config, config_trouble }) {
			settings = config;
			setText(trouble, config_trouble);
			draw();
		},
	};
}

/**
 * Returns how long Kafka keeps records: a figure, a note, a title.
 * @param {TopicSetting[]} config
 * @returns {[value: string, note?: string, title?: string | null]}
 */
function describeRetention(config) {
	/** @param {string} id */
	const settingValue = (id) => config.find(({ name }) => name === id)?.value;
	const policy = settingValue("cleanup.policy") ?? "";
	const ms = Number(settingValue("retention.ms") ?? Number.NaN);
	const size = Number(settingValue("retention.bytes") ?? Number.NaN);
	const compacted = policy.includes("compact");
	if (!policy.includes("delete"))
		return compacted ? ["newest per key", "compacted"] : [UNKNOWN];
	const limits = [
		size >= 0 ? `at most ${formatBytes(size)} a partition` : null,
		compacted ? "compacted" : null,
	].filter(Boolean);
	return [
		formatRetention(ms),
		limits.join(", ") || "deleted by age",
		ms >= 0 ? `${formatExact(ms)} ms` : null,
	];
}

/** @param {number} ms */
function formatRetention(ms) {
	if (!(ms >= 0)) return "for ever";
	return ms >= DAY_MS
		? plural(Math.round((ms * 10) / DAY_MS) / 10, "day")
		: plural(Math.round(ms / 360_000) / 10, "hour");
}

function createTopicFigures() {
	const figures = createFigures("The topic", {
		records: "Records",
		bytes: "Size",
		partitions: "Partitions",
		policy: "Kept",
	});
	/** @param {Topic} topic */
	function updatePartitions(topic) {
		const { partitions, replication, leaderless, under_replicated } = topic;
		const count = formatCount(partitions);
		if (leaderless) {
			const note = `${formatCount(leaderless)} without a leader`;
			figures.set("partitions", count, note, null, "act");
		} else if (under_replicated) {
			const note = `${formatCount(under_replicated)} with copies behind`;
			figures.set("partitions", count, note, null, "soon");
		} else {
			const note = plural(replication, "copy of each", "copies of each");
			figures.set("partitions", count, note);
		}
	}
	return {
		element: figures.element,
		/** @param {Topic} topic */
		update(topic) {
			const { records, bytes, replication, replica_bytes } = topic;
			figures.set(
				"records",
				formatCount(records),
				"offsets in use",
				formatExact(records),
			);
			figures.set(
				"bytes",
				formatBytes(bytes),
				replication > 1
					? `${formatBytes(replica_bytes)} with all copies`
					: "one copy",
				formatExact(bytes, "bytes"),
			);
			updatePartitions(topic);
			figures.set("policy", ...describeRetention(topic.config));
		},
	};
}

/** @type {KafkaPage<[Topic, GroupsAnswer]>["mount"]} */
export function mount(root, { params: { name } }) {
	/** @type {number | null} */
	let partitionCount = null;
	const send = createSendDialog(name, () => partitionCount);
	const figures = createTopicFigures();
	const partitions = createPartitionTable(name);
	const groupTable = createGroupTable();
	const settings = createSettings();
	const messages = h("a", {
		class: "button primary",
		href: messagesPath(name),
		"data-page": true,
		text: "Messages",
	});
	root.append(
		breadcrumbs(["Topics", "/"]),
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: name }),
			h("div", { class: "page-actions" }, messages, send.button),
		),
		figures.element,
		createSection("Partitions", partitions.element),
		createSection("Read by", groupTable.element),
		settings.element,
		send.dialog,
	);
	return {
		update(topic, { groups }) {
			partitionCount = topic.partitions;
			figures.update(topic);
			partitions.update(topic.partition_list);
			groupTable.update(groups.filter(({ topics }) => topics.includes(name)));
			settings.update(topic);
		},
		close: send.close,
	};
}
