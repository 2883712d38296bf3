// The headline figures of the overview.

import { h, setAttr, setLevel } from "/assets/shared/dom.js";
import {
	formatAge,
	formatBytes,
	formatClock,
	formatCount,
	formatDuration,
	formatEventZoneTime,
	formatExact,
	formatExactTime,
	formatOtherDay,
	formatSetting,
	isNumber,
	joinParts,
	UNKNOWN,
} from "/assets/shared/format.js";
import { createFigure } from "/assets/shared/widgets.js";
import { createSparkline } from "../sparkline.js";

/** @import { Num } from "/assets/shared/format.js" */
/** @import { History, HistorySeries, LastCheckpoint, Overview } from "/types/job-api.js" */

/** @typedef {ReturnType<typeof createFigure>} Figure */

/**
 * Creates a figure with the course of a series beside it.
 * @param {string} label
 * @param {HistorySeries} series
 */
function createSparkFigure(label, series) {
	const spark = createSparkline({ fewest: 6 });
	return {
		figure: createFigure(label, spark.element),
		/** @param {History} history */
		updateHistory: (history) => spark.update(history[series]),
	};
}

/**
 * @param {Figure} figure
 * @param {Num} rate
 * @param {Num} total
 * @param {string} unit
 */
function updateRate(figure, rate, total, unit) {
	figure.update(
		formatCount(rate),
		`${formatCount(total)} since the start`,
		formatExact(rate, `${unit} per second, over the last ten seconds`),
	);
}

/**
 * @param {Figure} figure
 * @param {Overview["totals"]} totals
 */
function updateBehind(figure, { lag, behind_ms: behind }) {
	const toRead = isNumber(lag)
		? `${formatCount(lag)} records to read`
		: "not known yet";
	figure.update(
		lag === 0 ? "nothing" : formatDuration(behind),
		lag === 0 ? "all available events are read" : toRead,
		`${formatExact(behind, "ms")}, lag ${formatExact(lag, "records")}`,
	);
}

/**
 * @param {Figure} figure
 * @param {Overview["totals"]} totals
 */
function updateWatermark(
	figure,
	{ watermark_ms: at, watermark_delay_ms: delay },
) {
	figure.update(
		isNumber(at) ? formatClock(at) : UNKNOWN,
		isNumber(at)
			? joinParts(
					formatOtherDay(at),
					`${formatDuration(delay)} before now`,
					formatEventZoneTime(at),
				)
			: "no event yet",
		formatExactTime(at),
	);
}

/** Creates the figure of the last checkpoint, with a bar of the time until the next one. */
function createCheckpointFigure() {
	const fill = h("span");
	const bar = h("div", { class: "bar due" }, fill);
	const figure = createFigure("last checkpoint", bar);
	/**
	 * Returns how late the next checkpoint is.
	 * @param {number} intervals the age of the last one in intervals
	 */
	const lateness = (intervals) => {
		if (intervals > 3) return "act";
		return intervals > 1.5 ? "soon" : "plain";
	};
	return {
		element: figure.element,
		/** @param {LastCheckpoint} checkpoint */
		update(checkpoint) {
			const { age_ms: age, every_ms: every, failed } = checkpoint;
			const taken = isNumber(age);
			figure.update(
				taken ? formatAge(age) : "none yet",
				taken
					? joinParts(
							formatBytes(checkpoint.state_bytes),
							`took ${formatDuration(checkpoint.duration_ms)}`,
							failed > 0 && `${formatCount(failed)} failed`,
						)
					: `every ${formatSetting(every)}`,
				taken ? `${formatExact(age, "ms")} ago` : null,
			);
			const intervals = taken && every > 0 ? age / every : 0;
			fill.style.transform = `scaleX(${Math.min(1, intervals)})`;
			setLevel(bar, lateness(intervals));
			setAttr(bar, "title", `a checkpoint every ${formatSetting(every)}`);
		},
	};
}

/** Creates the row of figures. */
export function createOverviewFigures() {
	const events = createSparkFigure("events/s", "records_per_s");
	const behind = createSparkFigure("behind", "lag");
	const watermark = createSparkFigure("watermark", "watermark_delay_ms");
	const rows = createSparkFigure("rows/s to Redis", "rows_per_s");
	const checkpoint = createCheckpointFigure();
	const sparks = [events, behind, watermark, rows];
	return {
		element: h(
			"section",
			{ class: "figures headline", "aria-label": "At a glance" },
			sparks.map(({ figure }) => figure.element),
			checkpoint.element,
		),
		/** @param {Overview} overview */
		update({ totals, checkpoint: last }) {
			updateRate(events.figure, totals.records_per_s, totals.records, "events");
			updateBehind(behind.figure, totals);
			updateWatermark(watermark.figure, totals);
			updateRate(rows.figure, totals.rows_per_s, totals.rows, "rows");
			checkpoint.update(last);
		},
		/** @param {History} history */
		updateHistory(history) {
			for (const spark of sparks) spark.updateHistory(history);
		},
	};
}
