// The columns of the tables on the Checkpoints page.

import {
	bytesColumn,
	durationColumn,
	offsetColumn,
	partitionColumn,
	timeColumn,
} from "/assets/shared/columns.js";
import { h, setLevel, setText } from "/assets/shared/dom.js";
import { isNumber, shorten } from "/assets/shared/format.js";
import { icon } from "/assets/shared/widgets.js";

/** @import { ChipLevel, Column } from "/types/components.js" */
/** @import { Checkpoint, ReportSource, RestoredPartition } from "/types/job-api.js" */

/** @type {Record<Checkpoint["status"], { level: ChipLevel, icon: Parameters<typeof icon>[0], text: string }>} */
const STATUSES = {
	completed: { level: "well", icon: "well", text: "completed" },
	failed: { level: "act", icon: "act", text: "failed" },
	in_progress: { level: "plain", icon: "busy", text: "in progress" },
};

/** @param {Checkpoint} checkpoint */
export const checkpointDuration = ({ began_at_ms, ended_at_ms }) =>
	isNumber(ended_at_ms) ? ended_at_ms - began_at_ms : null;

/**
 * @param {HTMLTableCellElement} cell
 * @param {Checkpoint} checkpoint
 */
function fillStatus(cell, { status }) {
	if (cell.dataset.status === status) return;
	cell.dataset.status = status;
	const { level, icon: name, text } = STATUSES[status];
	const word = h("span");
	const chip = h("span", { class: "chip" }, icon(name), word);
	setLevel(chip, level);
	setText(word, text);
	cell.replaceChildren(chip);
}

/**
 * @template {ReportSource} Row
 * @returns {Column<Row>}
 */
const hostColumn = () => ({
	id: "host",
	label: "Host",
	text: (row) => row.host,
	exact: (row) => `instance ${row.instance}`,
});

/**
 * @template {{ epoch: number, number: number }} Row
 * @returns {Column<Row>}
 */
const epochColumn = () => ({
	id: "number",
	label: "Epoch.number",
	numeric: true,
	text: ({ epoch, number }) => `${epoch}.${number}`,
	value: ({ epoch, number }) => epoch * 1e7 + number,
});

/** @type {Column<Checkpoint>[]} */
export const HISTORY_COLUMNS = [
	timeColumn("began", "Began", (row) => row.began_at_ms),
	{
		id: "status",
		label: "Status",
		text: (row) => STATUSES[row.status].text,
		fill: fillStatus,
	},
	partitionColumn(),
	{
		id: "kind",
		label: "Kind",
		text: (row) => (row.savepoint ? "savepoint" : "checkpoint"),
		exact: (row) => row.savepoint,
	},
	epochColumn(),
	durationColumn("took", "Took", checkpointDuration),
	bytesColumn(
		"added",
		"Added",
		(row) => row.added_bytes,
		"Bytes this checkpoint added",
	),
	bytesColumn(
		"state",
		"State",
		(row) => row.state_bytes,
		"Bytes of all its layers",
	),
	offsetColumn("offset", "Offset", (row) => row.offset),
	hostColumn(),
	{
		id: "failure",
		label: "Failure, or place",
		mono: true,
		text: (row) => row.failure ?? shorten(row.place, 40),
		exact: (row) => row.failure ?? row.place,
		copy: (row) => row.failure ?? row.place,
	},
];

/** @type {Column<RestoredPartition>[]} */
export const RESTORED_COLUMNS = [
	timeColumn("at", "Restored", (row) => row.at_ms),
	partitionColumn(),
	epochColumn(),
	durationColumn("took", "Took", (row) => row.took_ms),
	offsetColumn("offset", "Offset", (row) => row.offset),
	hostColumn(),
	{
		id: "from",
		label: "From",
		mono: true,
		text: (row) =>
			row.savepoint ? shorten(row.savepoint, 48) : "its own checkpoint",
		exact: (row) => row.savepoint,
		copy: (row) => row.savepoint ?? "",
	},
];
