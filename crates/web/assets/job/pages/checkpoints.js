// Checkpoints: which were completed, which failed, what was restored, and savepoints.

import { h, setLevel, setText } from "/assets/shared/dom.js";
import {
	formatAge,
	formatBytes,
	formatCount,
	formatDuration,
	formatExact,
	formatExactTime,
	formatSetting,
	isNumber,
	plural,
	UNKNOWN,
} from "/assets/shared/format.js";
import { Table } from "/assets/shared/table.js";
import {
	copyableText,
	createFigure,
	emptyState,
	runOrShowFault,
	sectionHead,
} from "/assets/shared/widgets.js";
import {
	checkpointDuration,
	HISTORY_COLUMNS,
	RESTORED_COLUMNS,
} from "./checkpoint-columns.js";
import { createSavepointForm, createSavepointList } from "./savepoints.js";

/** @import { JobPage } from "/types/components.js" */
/** @import { Checkpoint, Checkpoints } from "/types/job-api.js" */

export const title = () => "Checkpoints";
export const jsonUrl = () => "/api/checkpoints";

/** @param {number[]} values */
const median = (values) =>
	values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/**
 * Returns the bytes of the newest checkpoint of each partition.
 * @param {Checkpoint[]} completed newest first
 */
function stateSize(completed) {
	/** @type {Map<number, number>} */
	const bytes = new Map();
	for (const { partition, state_bytes } of completed)
		if (!bytes.has(partition)) bytes.set(partition, state_bytes);
	const total = [...bytes.values()].reduce((sum, size) => sum + size, 0);
	return { partitions: bytes.size, total };
}

/** @typedef {ReturnType<typeof createFigure>} Figure */

/**
 * @param {Figure} figure
 * @param {number} now
 * @param {Checkpoint | undefined} newest
 */
function updateLast(figure, now, newest) {
	const at = newest?.ended_at_ms;
	if (!newest || !isNumber(at)) {
		figure.update("none yet", "the first comes after the interval");
		return;
	}
	const age = formatAge(Math.max(0, now - at));
	figure.update(age, `partition ${newest.partition}`, formatExactTime(at));
}

/**
 * @param {Figure} figure
 * @param {Checkpoint[]} completed
 */
function updateSize(figure, completed) {
	const { partitions, total } = stateSize(completed);
	figure.update(
		partitions ? formatBytes(total) : UNKNOWN,
		partitions ? `in ${plural(partitions, "partition")}` : "",
		formatExact(total, "bytes"),
	);
}

/**
 * Updates the figure of a count; `note` says more.
 * @param {Figure} figure
 * @param {number} count
 * @param {string} note
 */
const updateCount = (figure, count, note) =>
	figure.update(formatCount(count), note, formatExact(count));

/** Creates the row of figures. */
function createCheckpointFigures() {
	const last = createFigure("last completed");
	const completed = createFigure("completed");
	const failed = createFigure("failed");
	const size = createFigure("state");
	const restored = createFigure("restored");
	const all = [last, completed, failed, size, restored];
	return {
		element: h(
			"section",
			{ class: "figures compact", "aria-label": "Summary" },
			all.map(({ element }) => element),
		),
		/** @param {Checkpoints} data */
		update({ now_ms: now, counts, checkpoints }) {
			const done = checkpoints.filter(
				({ status, savepoint }) => status === "completed" && !savepoint,
			);
			const typicalMs = median(done.map(checkpointDuration).filter(isNumber));
			const typical = isNumber(typicalMs)
				? `typically ${formatDuration(typicalMs)}`
				: "";
			const { in_progress: running, fenced } = counts;
			updateLast(last, now, done[0]);
			updateCount(completed, counts.completed, typical);
			updateCount(
				failed,
				counts.failed,
				`${running > 0 ? formatCount(running) : "none"} in progress now`,
			);
			setLevel(failed.element, counts.failed > 0 ? "soon" : "plain");
			updateSize(size, done);
			updateCount(
				restored,
				counts.restored,
				fenced > 0
					? `${formatCount(fenced)} taken over by another instance`
					: "partitions since the start",
			);
		},
	};
}

const createHistoryTable = () =>
	new Table({
		caption: "History of checkpoints",
		filter: "Filter history",
		sort: { column: "began", descending: true },
		key: (row) =>
			`${row.instance} ${row.partition} ${row.epoch}.${row.number} ${row.savepoint ?? ""}`,
		mark: (row) => (row.status === "failed" ? "act" : null),
		empty: emptyState(
			"No checkpoint yet",
			"The first one follows the first event, at the end of the interval. Until then a restart reads from the beginning.",
		),
		columns: HISTORY_COLUMNS,
	});

const createRestoredTable = () =>
	new Table({
		caption: "Restored partitions",
		sort: { column: "at", descending: true },
		key: (row) => `${row.instance} ${row.partition} ${row.at_ms}`,
		empty: emptyState(
			"Nothing was restored",
			"Every partition began without a checkpoint, or is still opening.",
		),
		columns: RESTORED_COLUMNS,
	});

/** @type {JobPage<Checkpoints>["mount"]} */
export function mount(root) {
	const place = copyableText("", "the place of the checkpoints");
	const interval = h("p", { class: "lead" });
	const figures = createCheckpointFigures();
	const form = createSavepointForm();
	const savepoints = createSavepointList();
	const history = createHistoryTable();
	const restored = createRestoredTable();
	const historySection = h(
		"section",
		{ class: "section", "aria-label": "History" },
		sectionHead(
			"History",
			h("span", { class: "muted tiny", text: "per partition, newest first" }),
		),
		history.element,
	);
	root.append(
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: "Checkpoints" }),
			interval,
			place.element,
		),
		figures.element,
		h(
			"section",
			{ class: "section", "aria-label": "Savepoints" },
			sectionHead("Savepoints"),
			form.element,
			savepoints.elements,
		),
		historySection,
		h(
			"section",
			{ class: "section", "aria-label": "Restored" },
			sectionHead("Restored"),
			restored.element,
		),
	);
	return {
		update(data) {
			setText(
				interval,
				`Every ${formatSetting(data.every_ms)}, the last ${data.keep} of each partition are kept at`,
			);
			place.update(data.place);
			runOrShowFault(figures.element, () => figures.update(data));
			runOrShowFault(historySection, () => history.update(data.checkpoints));
			restored.update(data.restored);
			savepoints.update(data.savepoints);
		},
		close: form.close,
	};
}
