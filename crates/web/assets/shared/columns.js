// Columns that several tables have.

import { h, setText } from "./dom.js";
import {
	formatBytes,
	formatCount,
	formatDuration,
	formatExact,
	formatExactTime,
	formatTime,
	shorten,
	UNKNOWN,
} from "./format.js";

/** @import { Column } from "/types/components.js" */
/** @import { Num } from "./format.js" */

/**
 * Creates a column of numbers in a short form, with an exact title.
 * @template Row
 * @param {(value: Num) => string} format
 * @param {string} unit
 * @param {string} id
 * @param {string} label
 * @param {(row: Row) => Num} value
 * @param {string} [title]
 * @returns {Column<Row>}
 */
const numberColumn = (format, unit, id, label, value, title) => ({
	id,
	label,
	title,
	numeric: true,
	text: (row) => format(value(row)),
	value,
	exact: (row) => formatExact(value(row), unit),
	copy: (row) => value(row) ?? "",
});

/**
 * @template Row
 * @param {string} id
 * @param {string} label
 * @param {(row: Row) => Num} value
 * @param {string} [title]
 */
export const countColumn = (id, label, value, title, unit = "") =>
	numberColumn(formatCount, unit, id, label, value, title);

/**
 * @template Row
 * @param {string} id
 * @param {string} label
 * @param {(row: Row) => Num} value
 * @param {string} [title]
 */
export const bytesColumn = (id, label, value, title) =>
	numberColumn(formatBytes, "bytes", id, label, value, title);

/**
 * @template Row
 * @param {string} id
 * @param {string} label
 * @param {(row: Row) => Num} value milliseconds
 */
export const durationColumn = (id, label, value) =>
	numberColumn(formatDuration, "ms", id, label, value);

/**
 * Creates a column of times.
 * @template Row
 * @param {string} id
 * @param {string} label
 * @param {(row: Row) => Num} value
 * @returns {Column<Row>}
 */
export const timeColumn = (id, label, value) => ({
	id,
	label,
	text: (row) => formatTime(value(row)),
	value,
	exact: (row) => formatExactTime(value(row)),
	copy: (row) => value(row) ?? "",
});

/**
 * Creates a column of numbers with all their digits.
 * @template Row
 * @param {string} id
 * @param {string} label
 * @param {(row: Row) => Num} value
 * @param {string} [title]
 * @returns {Column<Row>}
 */
export const offsetColumn = (id, label, value, title) => ({
	id,
	label,
	title,
	numeric: true,
	text: (row) =>
		(value(row) ?? null) === null ? UNKNOWN : formatExact(value(row)),
	value,
	copy: (row) => value(row) ?? "",
});

/**
 * Creates a column of partition numbers.
 * @template {{ partition: number }} Row
 * @returns {Column<Row>}
 */
export const partitionColumn = (numeric = true) => ({
	id: "partition",
	label: "Partition",
	numeric,
	text: (row) => row.partition,
	value: (row) => row.partition,
});

/**
 * Creates a column of long ids: shortened in the middle, whole in the title and when copied.
 * @template Row
 * @param {string} id
 * @param {string} label
 * @param {(row: Row) => string | null} value
 * @returns {Column<Row>}
 */
export const idColumn = (id, label, value, most = 24, mono = true) => ({
	id,
	label,
	mono,
	text: (row) => shorten(value(row) ?? UNKNOWN, most),
	value,
	exact: value,
	copy: (row) => value(row) ?? "",
});

/**
 * Fills a cell with a text and a smaller one beside it.
 * @param {HTMLTableCellElement} cell
 * @param {string} text
 * @param {string} beside
 */
export function fillPair(cell, text, beside) {
	if (!cell.firstChild) cell.append(h("span"), h("span", { class: "sub" }));
	const [main, sub] = cell.children;
	setText(main, text);
	setText(sub, beside);
}
