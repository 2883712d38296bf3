// Which rows a table shows, and in which order.

/** @import { Column, SortOrder } from "/types/components.js" */

/**
 * Returns the text of a cell.
 * @template Row
 * @param {Column<Row>} column
 * @param {Row} row
 */
export const cellText = (column, row) => String(column.text(row) ?? "");

/**
 * Returns the rows in which every word of `query` occurs.
 * @template Row
 * @param {Row[]} rows
 * @param {Column<Row>[]} columns
 * @param {string} query
 */
export function filterRows(rows, columns, query) {
	const words = query.toLowerCase().split(/\s+/).filter(Boolean);
	if (words.length === 0) return rows;
	return rows.filter((row) => {
		const text = columns
			.map((column) => `${cellText(column, row)} ${column.copy?.(row) ?? ""}`)
			.join(" ")
			.toLowerCase();
		return words.every((word) => text.includes(word));
	});
}

/** @param {unknown} value */
const isMissing = (value) =>
	value === null || value === undefined || Number.isNaN(value);

/**
 * Compares two known values: numbers by size, everything else as text.
 * @param {unknown} a
 * @param {unknown} b
 */
const compareValues = (a, b) =>
	typeof a === "number" && typeof b === "number"
		? a - b
		: String(a).localeCompare(String(b), "en", { numeric: true });

/**
 * Returns the rows sorted by a column. Unknown values come last in both directions.
 * @template Row
 * @param {Row[]} rows
 * @param {Column<Row>[]} columns
 * @param {SortOrder | null} order
 */
export function sortRows(rows, columns, order) {
	const column = columns.find(({ id }) => id === order?.column);
	if (!column) return rows;
	const direction = order?.descending ? -1 : 1;
	return rows
		.map((row, index) => ({
			row,
			index,
			value: column.value ? column.value(row) : cellText(column, row),
		}))
		.sort((a, b) => {
			const missing = Number(isMissing(a.value)) - Number(isMissing(b.value));
			const known = isMissing(a.value)
				? 0
				: direction * compareValues(a.value, b.value);
			return missing || known || a.index - b.index;
		})
		.map(({ row }) => row);
}
