// The cluster at a glance: topics, and below them the brokers.

import { bytesColumn, countColumn } from "/assets/shared/columns.js";
import { h, setText } from "/assets/shared/dom.js";
import {
	formatBytes,
	formatCount,
	formatExact,
	formatPercent,
	plural,
	UNKNOWN,
} from "/assets/shared/format.js";
import { Table } from "/assets/shared/table.js";
import { emptyState } from "/assets/shared/widgets.js";
import { createFigures, createSection, fillChip, topicPath } from "../parts.js";

/** @import { ChipLevel, Column, KafkaPage, KafkaPageContext } from "/types/components.js" */
/** @import { Broker, Cluster, ClusterAnswer, TopicsAnswer, TopicSummary } from "/types/kafka-api.js" */

export const refreshMs = 5000;
export const title = () => "Topics";
export const jsonUrls = () => ["/api/topics", "/api/cluster"];

const STORAGE_KEY = "windrow.kafka.internal";

/**
 * @param {TopicSummary} topic
 * @returns {{ level: ChipLevel, word: string }}
 */
function topicHealth({ leaderless, under_replicated: behind }) {
	if (leaderless)
		return {
			level: "act",
			word: `${plural(leaderless, "partition")} without a leader`,
		};
	if (behind)
		return {
			level: "soon",
			word: `copies behind in ${plural(behind, "partition")}`,
		};
	return { level: "well", word: "in sync" };
}

/** @type {Column<TopicSummary>[]} */
const TOPIC_COLUMNS = [
	{
		id: "topic",
		label: "Topic",
		text: (row) => row.topic,
		href: (row) => topicPath(row.topic),
		exact: (row) => row.topic,
	},
	countColumn("partitions", "Partitions", (row) => row.partitions),
	countColumn(
		"replication",
		"Replicas",
		(row) => row.replication,
		"Copies of each partition",
	),
	countColumn(
		"records",
		"Records",
		(row) => row.records,
		"Offsets in use: compaction and transactions may leave holes",
	),
	bytesColumn(
		"bytes",
		"Size",
		(row) => row.bytes,
		"Bytes on disk of one copy, as the brokers report",
	),
	{
		id: "health",
		label: "Health",
		text: (row) => topicHealth(row).word,
		value: (row) => row.leaderless * 1e6 + row.under_replicated,
		fill(cell, row) {
			const { level, word } = topicHealth(row);
			fillChip(cell, level, word);
		},
	},
];

/** @typedef {Broker & { isController: boolean }} BrokerRow */

/** @param {Broker} broker */
const freeShare = ({ disk_total_bytes: total, disk_free_bytes: free }) =>
	total && free !== null ? free / total : null;

/** @type {Column<BrokerRow>[]} */
const BROKER_COLUMNS = [
	{
		id: "id",
		label: "Broker",
		text: (row) => row.id,
		value: (row) => row.id,
		fill(cell, row) {
			if (!cell.firstChild)
				cell.append(
					h("span"),
					h("span", { class: "tag broker-role", text: "controller" }),
				);
			const [id, role] = cell.children;
			setText(id, row.id);
			role.toggleAttribute("hidden", !row.isController);
		},
	},
	{ id: "address", label: "Address", text: (row) => `${row.host}:${row.port}` },
	{ id: "rack", label: "Rack", text: (row) => row.rack ?? UNKNOWN },
	countColumn("leads", "Leads", (row) => row.leads, "Partitions it leads"),
	countColumn(
		"replicas",
		"Copies",
		(row) => row.replicas,
		"Partitions it has a copy of",
	),
	bytesColumn(
		"bytes",
		"Logs",
		(row) => row.bytes,
		"Bytes of all copies on its disks",
	),
	{
		id: "disk",
		label: "Disk free",
		numeric: true,
		text: (row) =>
			row.trouble
				? "not known"
				: `${formatBytes(row.disk_free_bytes)} (${formatPercent(freeShare(row))})`,
		value: freeShare,
		exact: (row) =>
			row.trouble ??
			`${formatExact(row.disk_free_bytes, "bytes")} of ${formatExact(row.disk_total_bytes, "bytes")}`,
	},
];

/**
 * Returns the sum, or null if one of the values is unknown.
 * @param {(number | null)[]} values
 */
const sumKnown = (values) =>
	values.reduce(
		(sum, value) => (sum === null || value === null ? null : sum + value),
		/** @type {number | null} */ (0),
	);

function createClusterFigures() {
	const figures = createFigures("The cluster", {
		topics: "Topics",
		records: "Records",
		bytes: "On disk",
		partitions: "Partitions",
		brokers: "Brokers",
	});
	/** @param {TopicSummary[]} topics */
	function updateTopics(topics) {
		const visible = topics.filter(({ internal }) => !internal);
		const internal = topics.length - visible.length;
		const records = sumKnown(visible.map((topic) => topic.records));
		figures.set(
			"topics",
			formatCount(visible.length),
			`${formatCount(internal)} of Kafka's own`,
		);
		figures.set(
			"records",
			formatCount(records),
			"in these topics",
			formatExact(records),
		);
	}
	/** @param {Cluster} cluster */
	function updatePartitions({ partitions, leaderless, under_replicated }) {
		const count = formatCount(partitions);
		if (leaderless) {
			const note = `${formatCount(leaderless)} without a leader`;
			figures.set("partitions", count, note, null, "act");
		} else if (under_replicated) {
			const note = `${formatCount(under_replicated)} with copies behind`;
			figures.set("partitions", count, note, null, "soon");
		} else figures.set("partitions", count, "all copies in sync");
	}
	return {
		element: figures.element,
		/**
		 * @param {TopicSummary[]} topics
		 * @param {Cluster} cluster
		 */
		update(topics, cluster) {
			const { brokers, controller } = cluster;
			const size = sumKnown(brokers.map(({ bytes }) => bytes));
			updateTopics(topics);
			updatePartitions(cluster);
			figures.set(
				"bytes",
				formatBytes(size),
				"all copies of everything",
				formatExact(size, "bytes"),
			);
			figures.set(
				"brokers",
				formatCount(brokers.length),
				controller === null ? "no controller" : `controller ${controller}`,
				null,
				controller === null ? "act" : null,
			);
		},
	};
}

/**
 * Creates the box that shows Kafka's own topics too. The browser session remembers it.
 * @param {() => void} change
 */
function createInternalSwitch(change) {
	const box = h("input", { type: "checkbox", on: { change: remember } });
	try {
		box.checked = sessionStorage.getItem(STORAGE_KEY) === "yes";
	} catch {
		// Without storage the choice lasts until the page is left.
	}
	function remember() {
		try {
			sessionStorage.setItem(STORAGE_KEY, box.checked ? "yes" : "no");
		} catch {
			// As above.
		}
		change();
	}
	return {
		element: h("label", { class: "check" }, box, "Kafka's own topics"),
		isOn: () => box.checked,
	};
}

const noTopics = () =>
	emptyState(
		"No topics yet",
		"New topics appear here.",
		h(
			"p",
			null,
			"The shipped pipeline reads ",
			h("code", { text: "ecommerce-events" }),
			". This command creates it and sends events: ",
			h("code", { text: "windrow generate --to kafka --rate 20" }),
		),
	);

/**
 * Creates the table of topics. Enter in its filter opens the only topic left.
 * @param {KafkaPageContext} context
 */
function createTopicTable({ navigate }) {
	/** @type {TopicSummary[]} */
	let topics = [];
	const internal = createInternalSwitch(draw);
	const table = new Table({
		caption: "Topics",
		filter: "Filter topics",
		stickFirst: true,
		sort: { column: "topic", descending: false },
		key: (row) => row.topic,
		tools: [internal.element],
		mark: (row) => {
			if (row.leaderless) return "act";
			return row.under_replicated ? "soon" : null;
		},
		empty: noTopics(),
		columns: TOPIC_COLUMNS,
	});
	table.filterBox?.addEventListener("keydown", ({ key }) => {
		const links = table.element.querySelectorAll("tbody a");
		const path = links[0]?.getAttribute("href");
		if (key === "Enter" && links.length === 1 && path) navigate(path);
	});
	function draw() {
		table.update(
			internal.isOn() ? topics : topics.filter((row) => !row.internal),
		);
	}
	return {
		element: table.element,
		/** @param {TopicSummary[]} all */
		update(all) {
			topics = all;
			draw();
		},
	};
}

/** @type {KafkaPage<[TopicsAnswer, ClusterAnswer]>["mount"]} */
export function mount(root, context) {
	const figures = createClusterFigures();
	const topicTable = createTopicTable(context);
	const brokerTable = new Table({
		caption: "Brokers",
		whole: true,
		key: (row) => row.id,
		sort: { column: "id", descending: false },
		mark: (row) => (row.trouble ? "soon" : null),
		columns: BROKER_COLUMNS,
	});
	const clusterId = h("p", { class: "muted tiny" });
	root.append(
		h("h1", { class: "visually-hidden", text: "Topics" }),
		figures.element,
		createSection("Topics", topicTable.element),
		createSection("Brokers", brokerTable.element, clusterId),
	);
	return {
		update({ topics }, { cluster }) {
			figures.update(topics, cluster);
			topicTable.update(topics);
			brokerTable.update(
				cluster.brokers.map((broker) => ({
					...broker,
					isController: broker.id === cluster.controller,
				})),
			);
			const id = cluster.cluster_id;
			setText(clusterId, id ? `Cluster ${id}` : "");
		},
	};
}
