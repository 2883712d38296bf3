// The cluster at a glance: topics, and below them the brokers.

import { empty, h, setText } from "/assets/shared/dom.js";
import { bytes, count, exact, percent, plural } from "/assets/shared/format.js";
import { table } from "/assets/shared/table.js";
import {
	bytesColumn,
	chip,
	countColumn,
	figures,
	section,
	topicPath,
} from "../parts.js";

export const every = 5000;
export const title = () => "Topics";
export const urls = () => ["/api/topics", "/api/cluster"];

const KEPT = "windrow.kafka.internal";

export function mount(root, { navigate }) {
	const head = figures(
		[
			{ id: "topics", label: "Topics" },
			{ id: "records", label: "Records" },
			{ id: "bytes", label: "On disk" },
			{ id: "partitions", label: "Partitions" },
			{ id: "brokers", label: "Brokers" },
		],
		"The cluster",
	);
	const own = h("input", { type: "checkbox", on: { change: () => draw() } });
	try {
		own.checked = sessionStorage.getItem(KEPT) === "yes";
	} catch {
		// Storage is off in this browser: it then holds for this page only.
	}
	const topics = table({
		caption: "Topics",
		filter: "Filter topics",
		stickFirst: true,
		sort: { column: "topic", descending: false },
		key: (row) => row.topic,
		tools: [h("label", { class: "check" }, own, "Kafka's own topics")],
		mark: (row) =>
			row.leaderless ? "act" : row.under_replicated ? "soon" : null,
		empty: empty(
			"No topics yet",
			"Topics that are created appear here.",
			h(
				"p",
				null,
				"The shipped pipeline reads ",
				h("code", { text: "ecommerce-events" }),
				". This makes it, and sends events: ",
				h("code", { text: "windrow generate --to kafka --rate 20" }),
			),
		),
		columns: [
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
				"Bytes on disk of one copy, as the brokers say",
			),
			{
				id: "health",
				label: "Health",
				text: (row) => health(row).word,
				value: (row) => row.leaderless * 1e6 + row.under_replicated,
				fill: (cell, row) => chip(cell, health(row).level, health(row).word),
			},
		],
	});
	const brokers = table({
		caption: "Brokers",
		whole: true,
		key: (row) => row.id,
		sort: { column: "id", descending: false },
		mark: (row) => (row.trouble ? "soon" : null),
		columns: [
			{
				id: "id",
				label: "Broker",
				text: (row) => `${row.id}`,
				value: (row) => row.id,
				fill: (cell, row) => {
					if (!cell.firstChild)
						cell.append(
							h("span"),
							h("span", { class: "tag broker-role", text: "controller" }),
						);
					setText(cell.firstChild, row.id);
					cell.lastChild.hidden = !row.controls;
				},
			},
			{
				id: "address",
				label: "Address",
				text: (row) => `${row.host}:${row.port}`,
			},
			{ id: "rack", label: "Rack", text: (row) => row.rack ?? "–" },
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
						? "not told"
						: `${bytes(row.disk_free_bytes)} (${percent(share(row))})`,
				value: share,
				exact: (row) =>
					row.trouble ??
					`${exact(row.disk_free_bytes, "bytes")} of ${exact(row.disk_total_bytes, "bytes")}`,
			},
		],
	});
	const brokersPart = section("Brokers", brokers.element);
	const controller = h("p", { class: "muted tiny" });
	brokersPart.element.append(controller);
	root.append(
		h("h1", { class: "visually-hidden", text: "Topics" }),
		head.element,
		section("Topics", topics.element).element,
		brokersPart.element,
	);

	topics.filterBox.addEventListener("keydown", (event) => {
		if (event.key !== "Enter") return;
		const only = topics.element.querySelectorAll("tbody a");
		if (only.length === 1) navigate(only[0].getAttribute("href"));
	});

	let list = [];
	function draw() {
		topics.update(own.checked ? list : list.filter((row) => !row.internal));
		try {
			sessionStorage.setItem(KEPT, own.checked ? "yes" : "no");
		} catch {
			// As above.
		}
	}

	return {
		update({ topics: all }, { cluster }) {
			list = all;
			draw();
			const visible = all.filter((row) => !row.internal);
			const sum = (of) =>
				visible.reduce(
					(total, row) =>
						total === null || of(row) === null ? null : total + of(row),
					0,
				);
			head.set(
				"topics",
				count(visible.length),
				plural(all.length - visible.length, "of Kafka's own", "of Kafka's own"),
			);
			head.set(
				"records",
				count(sum((row) => row.records)),
				"in these topics",
				exact(sum((row) => row.records)),
			);
			const size = cluster.brokers.reduce(
				(total, broker) =>
					total === null || broker.bytes === null ? null : total + broker.bytes,
				0,
			);
			head.set(
				"bytes",
				bytes(size),
				"all copies of everything",
				exact(size, "bytes"),
			);
			const [without, behind] = [cluster.leaderless, cluster.under_replicated];
			head.set(
				"partitions",
				count(cluster.partitions),
				without
					? `${count(without)} without a leader`
					: behind
						? `${count(behind)} with copies behind`
						: "all copies in sync",
				null,
				without ? "act" : behind ? "soon" : null,
			);
			head.set(
				"brokers",
				count(cluster.brokers.length),
				cluster.controller === null
					? "no controller"
					: `controller ${cluster.controller}`,
				null,
				cluster.controller === null ? "act" : null,
			);
			brokers.update(
				cluster.brokers.map((broker) => ({
					...broker,
					controls: broker.id === cluster.controller,
				})),
			);
			setText(
				controller,
				cluster.cluster_id ? `Cluster ${cluster.cluster_id}` : "",
			);
		},
	};
}

const share = (row) =>
	row.disk_total_bytes ? row.disk_free_bytes / row.disk_total_bytes : null;

function health(row) {
	if (row.leaderless)
		return {
			level: "act",
			word: `${plural(row.leaderless, "partition")} without a leader`,
		};
	if (row.under_replicated)
		return {
			level: "soon",
			word: `copies behind in ${plural(row.under_replicated, "partition")}`,
		};
	return { level: "well", word: "in sync" };
}
