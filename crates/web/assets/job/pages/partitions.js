// Partitions: which instance reads each of them, and how far it is.

import {
	bytesColumn,
	countColumn,
	fillPair,
	offsetColumn,
	partitionColumn,
} from "/assets/shared/columns.js";
import { h, setText } from "/assets/shared/dom.js";
import {
	formatAge,
	formatCount,
	formatDuration,
	formatEventZoneTime,
	formatExact,
	formatExactTime,
	formatRate,
	formatTime,
	isNumber,
	joinParts,
	plural,
	UNKNOWN,
} from "/assets/shared/format.js";
import { Table } from "/assets/shared/table.js";
import { emptyState } from "/assets/shared/widgets.js";

/** @import { Column, JobPage } from "/types/components.js" */
/** @import { Partition, Partitions } from "/types/job-api.js" */

export const title = () => "Partitions";
export const jsonUrl = () => "/api/partitions";

/** @typedef {Partition & { now_ms: number }} Row */

const START_INSTANCE = "Start an instance, or wait for the group to assign it";

/** @param {Row} row */
const hasOwner = (row) => row.instance !== null;

/** @param {Row} row */
const parkedOf = (row) => (row.instance === null ? row.parked : null);

/** @param {Row} row */
function describeState(row) {
	if (parkedOf(row)) return "parked";
	if (!hasOwner(row)) return "no owner";
	if (row.follows_clock) return "idle, on the clock";
	if (row.idle) return "idle";
	return row.lag === 0 ? "caught up" : "reading";
}

/** @param {Row} row */
function explainState(row) {
	const parked = parkedOf(row);
	if (parked)
		return `${parked.fault}. ${parked.todo}. Parked ${formatAge(row.now_ms - parked.since_ms)} ago; next attempt in ${formatDuration(Math.max(0, parked.retry_at_ms - row.now_ms))}`;
	if (!hasOwner(row)) return START_INSTANCE;
	if (row.follows_clock)
		return "All available records are read, and none came for the idle timeout: the watermark follows the wall clock, so windows close without a next event";
	return row.idle
		? "All available records are read, and none came for ten seconds"
		: null;
}

/** @type {Column<Row>[]} */
const COLUMNS = [
	partitionColumn(false),
	{
		id: "state",
		label: "State",
		text: describeState,
		exact: explainState,
	},
	{
		...countColumn("rate", "Events/s", (row) => row.records_per_s),
		exact: (row) =>
			formatExact(
				row.records_per_s,
				"events per second, over the last ten seconds",
			),
	},
	countColumn("lag", "Lag", (row) => row.lag, undefined, "records to read"),
	{
		id: "watermark",
		label: "Watermark",
		title: "The event time up to which it is complete",
		text: (row) => formatTime(row.watermark_ms),
		value: (row) => row.watermark_ms,
		exact: (row) => formatExactTime(row.watermark_ms),
		copy: (row) => row.watermark_ms ?? "",
		fill: (cell, { watermark_ms: at, now_ms: now }) =>
			fillPair(
				cell,
				formatTime(at),
				isNumber(at)
					? joinParts(
							`−${formatDuration(Math.max(0, now - at))}`,
							formatEventZoneTime(at),
						)
					: "",
			),
	},
	{
		id: "owner",
		label: "Owner",
		text: (row) => (row.host ?? parkedOf(row)?.host) || UNKNOWN,
		copy: (row) => (row.instance ?? parkedOf(row)?.instance) || "",
		exact: (row) =>
			hasOwner(row)
				? `instance ${row.instance} on ${row.host}, worker ${row.worker}, epoch ${row.epoch}`
				: null,
		fill: (cell, row) =>
			fillPair(
				cell,
				(row.host ?? parkedOf(row)?.host) || UNKNOWN,
				hasOwner(row) ? `worker ${row.worker}` : "",
			),
	},
	{
		...offsetColumn(
			"offset",
			"Offset",
			(row) => row.offset,
			"The offset of the next record",
		),
		exact: (row) =>
			`next ${formatExact(row.offset)}, end of the topic ${formatExact(row.end_offset)}`,
	},
	countColumn(
		"users",
		"Users",
		(row) => row.entities,
		"Users with state",
		"users with state",
	),
	bytesColumn(
		"state_bytes",
		"State size",
		(row) => row.state_bytes,
		"Bytes of the last checkpoint, all layers",
	),
	{
		id: "checkpoint",
		label: "Checkpoint",
		numeric: true,
		title: "Age of the last complete checkpoint",
		text: (row) => formatAge(row.checkpoint_age_ms),
		value: (row) => row.checkpoint_age_ms,
		exact: (row) =>
			`${formatExact(row.checkpoint_age_ms, "ms")}, at offset ${formatExact(row.checkpoint_offset)}`,
		copy: (row) => row.checkpoint_age_ms ?? "",
	},
];

/**
 * Returns the numbers of partitions, of instances and of events per second in one sentence.
 * @param {string} topic
 * @param {Row[]} rows
 */
function describePartitions(topic, rows) {
	const owned = rows.filter(hasOwner);
	const instances = new Set(owned.map(({ instance }) => instance)).size;
	const rate = owned.reduce((sum, row) => sum + (row.records_per_s ?? 0), 0);
	const parked = rows.filter(parkedOf).length;
	const unowned = rows.length - owned.length - parked;
	const numbers = `${topic}: ${plural(rows.length, "partition")}, ${plural(instances, "instance")}, ${formatRate(rate)}`;
	const sentences = [
		numbers,
		parked &&
			`Parked because of a fault: ${formatCount(parked)}; their states name the faults`,
		unowned &&
			`Without an owner: ${formatCount(unowned)}. Start an instance, or wait for the group to assign them`,
	];
	return sentences
		.filter(Boolean)
		.map((sentence) => `${sentence}.`)
		.join(" ");
}

/** @type {JobPage<Partitions>["mount"]} */
export function mount(root) {
	const summary = h("p", { class: "lead" });
	const table = new Table({
		caption: "Partitions of the topic",
		filter: "Filter partitions",
		stickFirst: true,
		sort: { column: "partition", descending: false },
		key: (row) => row.partition,
		mark: (row) => (hasOwner(row) ? null : "act"),
		empty: emptyState(
			"No partitions known yet",
			"The job looks up the topic when it starts. If this stays, check that Kafka is reachable and the topic exists.",
		),
		columns: COLUMNS,
	});
	root.append(
		h("h1", { text: "Partitions" }),
		summary,
		h("section", { class: "section tight" }, table.element),
	);
	return {
		update({ now_ms, topic, partitions }) {
			const rows = partitions.map((row) => ({ ...row, now_ms }));
			setText(summary, describePartitions(topic, rows));
			table.update(rows);
		},
	};
}
