// A table that is readable while it changes: sticky head, sorting, a filter, arrow keys, and a click that copies a cell.
// Values change in place. Rows change their order on sorting; otherwise only while neither pointer nor focus is in the table.

import { h, keyedList, setAttr, setText } from "./dom.js";
import { closestTarget } from "./frame.js";
import { cellText, filterRows, sortRows } from "./table-rows.js";
import { copyText } from "./widgets.js";

/** @import { Column, SortOrder, TableOptions } from "/types/components.js" */

const REORDER_MS = 5000;
const MAX_ROWS = 500;

/**
 * Creates the filter's box.
 * @param {string} label
 * @param {() => void} input
 */
const createFilterBox = (label, input) =>
	h("input", {
		class: "input",
		type: "search",
		placeholder: label,
		"aria-label": label,
		autocomplete: "off",
		spellcheck: "false",
		on: { input },
	});

/**
 * Fills a cell in place.
 * @template Row
 * @param {HTMLTableCellElement} cell
 * @param {Column<Row>} column
 * @param {Row} row
 */
function fillCell(cell, column, row) {
	setAttr(cell, "title", column.exact?.(row));
	if (column.fill) {
		column.fill(cell, row);
	} else if (column.href) {
		if (!cell.firstElementChild) cell.append(h("a"));
		const [link] = cell.children;
		setAttr(link, "href", column.href(row));
		setText(link, cellText(column, row));
	} else {
		setText(cell, cellText(column, row));
	}
}

/** @param {Column<never>} column */
const cellClass = ({ numeric, mono, wrap }) =>
	[numeric && "numeric", mono && "mono", wrap && "wrap"]
		.filter(Boolean)
		.join(" ") || null;

/** @template Row */
export class Table {
	/** @type {TableOptions<Row>} */
	#options;
	/** @type {Row[]} */
	#rows = [];
	/** @type {Map<string, Row>} */
	#rowsByKey = new Map();
	/** @type {SortOrder | null} */
	#order;
	#sortedAt = 0;
	/** The cell that the Tab key reaches. */
	#active;
	/** @type {HTMLTableCellElement[]} */
	#heads;
	#body = h("tbody");
	/** @type {HTMLInputElement | null} */
	#filterBox;
	#status = h("span", { class: "muted tiny", role: "status" });
	#toolbar;
	#scroll;
	#empty;
	#lines;

	/** @param {TableOptions<Row>} options */
	constructor(options) {
		const { caption, columns, filter, tools = [] } = options;
		this.#options = options;
		this.#order = options.sort ?? null;
		this.#active = { row: "", column: columns[0].id };
		this.#heads = columns.map((column) => this.#createHead(column));
		this.#filterBox = filter
			? createFilterBox(filter, () => this.#draw(true))
			: null;
		this.#toolbar = h(
			"div",
			{ class: "table-tools" },
			this.#filterBox,
			tools,
			this.#status,
		);
		this.#scroll = h(
			"div",
			{ class: options.whole ? "table-scroll whole" : "table-scroll" },
			h(
				"table",
				{
					role: "grid",
					"aria-label": caption,
					class: options.stickFirst ? "stick-first" : null,
				},
				h("thead", null, h("tr", null, this.#heads)),
				this.#body,
			),
		);
		this.#empty = h("div", { hidden: true }, options.empty);
		this.element = h(
			"div",
			{ class: "table" },
			filter || tools.length ? this.#toolbar : null,
			this.#scroll,
			this.#empty,
		);
		this.#lines = keyedList(this.#body, options.key, (row) =>
			this.#createLine(row),
		);
		this.#body.addEventListener("click", (event) => this.#onClick(event));
		this.#body.addEventListener("keydown", (event) => this.#onKey(event));
	}

	get filterBox() {
		return this.#filterBox;
	}

	/** @param {Row[]} rows */
	update(rows) {
		this.#rows = rows;
		this.#draw(false);
	}

	/** @param {Column<Row>} column */
	#createHead(column) {
		const { label, title, numeric } = column;
		const sortByColumn = () => {
			const same = this.#order?.column === column.id;
			const descending = same ? !this.#order?.descending : Boolean(numeric);
			this.#order = { column: column.id, descending };
			this.#draw(true);
		};
		return h(
			"th",
			{ scope: "col", class: numeric ? "numeric" : null, title },
			h(
				"button",
				{ type: "button", title, on: { click: sortByColumn } },
				label,
			),
		);
	}

	/** @param {Row} row */
	#keyOf(row) {
		return String(this.#options.key(row));
	}

	/**
	 * Sorts the rows, or keeps their present order while that helps to read them.
	 * @param {Row[]} rows
	 * @param {boolean} reorder
	 */
	#orderRows(rows, reorder) {
		const places = new Map(
			[...this.#rowsByKey.keys()].map((key, index) => [key, index]),
		);
		const keep =
			!reorder &&
			(performance.now() - this.#sortedAt < REORDER_MS ||
				this.element.matches(":hover, :focus-within")) &&
			rows.every((row) => places.has(this.#keyOf(row)));
		if (keep) {
			/** @param {Row} row */
			const placeOf = (row) => places.get(this.#keyOf(row)) ?? 0;
			return [...rows].sort((a, b) => placeOf(a) - placeOf(b));
		}
		this.#sortedAt = performance.now();
		return sortRows(rows, this.#options.columns, this.#order);
	}

	/** @param {boolean} reorder */
	#draw(reorder) {
		const { columns, limit = MAX_ROWS } = this.#options;
		const query = this.#filterBox?.value ?? "";
		const found = filterRows(this.#rows, columns, query);
		const visible = this.#orderRows(found, reorder).slice(0, limit);
		this.#rowsByKey = new Map(visible.map((row) => [this.#keyOf(row), row]));
		this.#lines.update(visible);
		this.#drawSortOrder();
		this.#drawActiveCell();
		this.#drawStatus(found.length, visible.length);
	}

	#drawSortOrder() {
		const order = this.#order;
		const direction = order?.descending ? "descending" : "ascending";
		this.#options.columns.forEach(({ id }, index) => {
			const sorted = order?.column === id;
			setAttr(this.#heads[index], "aria-sort", sorted ? direction : null);
		});
	}

	#drawActiveCell() {
		if (!this.#rowsByKey.has(this.#active.row))
			this.#active.row = this.#rowsByKey.keys().next().value ?? "";
		const { row, column } = this.#active;
		for (const line of this.#body.rows)
			for (const cell of line.cells) {
				const active =
					line.dataset.row === row && cell.dataset.column === column;
				setAttr(cell, "tabindex", active ? "0" : "-1");
			}
	}

	/**
	 * @param {number} found
	 * @param {number} visible
	 */
	#drawStatus(found, visible) {
		const { empty, tools } = this.#options;
		const nothing = this.#rows.length === 0 && empty !== undefined;
		this.#scroll.hidden = nothing;
		this.#empty.hidden = !nothing;
		this.#toolbar.hidden = nothing && !tools?.length;
		const part =
			found < this.#rows.length ? `${found} of ${this.#rows.length}` : "";
		setText(
			this.#status,
			visible < found ? `the first ${visible} of ${found}` : part,
		);
	}

	/** @param {Row} firstRow */
	#createLine(firstRow) {
		const { columns, mark } = this.#options;
		const cells = columns.map((column) =>
			h("td", {
				class: cellClass(column),
				data: { column: column.id },
				tabindex: "-1",
			}),
		);
		const element = h("tr", { data: { row: this.#keyOf(firstRow) } }, cells);
		return {
			element,
			/** @param {Row} row */
			update: (row) => {
				const level = mark?.(row);
				const wanted = level ? `marked level-${level}` : "";
				if (element.className !== wanted) element.className = wanted;
				columns.forEach((column, index) => {
					fillCell(cells[index], column, row);
				});
			},
		};
	}

	/** @param {HTMLTableCellElement} cell */
	#copyCell(cell) {
		const row = this.#rowsByKey.get(cell.parentElement?.dataset.row ?? "");
		const column = this.#options.columns[cell.cellIndex];
		if (row !== undefined)
			copyText(String(column.copy?.(row) ?? cellText(column, row)));
	}

	/** @param {HTMLTableCellElement} cell */
	#activateCell(cell) {
		this.#body
			.querySelector('td[tabindex="0"]')
			?.setAttribute("tabindex", "-1");
		this.#active = {
			row: cell.parentElement?.dataset.row ?? "",
			column: cell.dataset.column ?? "",
		};
		cell.tabIndex = 0;
	}

	/** @param {MouseEvent} event */
	#onClick(event) {
		const cell = closestTarget(event, "td");
		if (!(cell instanceof HTMLTableCellElement)) return;
		if (closestTarget(event, "a, button") || String(getSelection())) return;
		this.#activateCell(cell);
		this.#copyCell(cell);
	}

	/** @param {KeyboardEvent} event */
	#onKey(event) {
		const cell = closestTarget(event, "td");
		if (!(cell instanceof HTMLTableCellElement) || event.altKey) return;
		const copies =
			event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey;
		if (event.key === "Enter" || copies) {
			if (event.target !== cell) return;
			event.preventDefault();
			const link = cell.querySelector("a, button");
			if (copies || !(link instanceof HTMLElement)) this.#copyCell(cell);
			else link.click();
			return;
		}
		const next = this.#nextCell(cell, event);
		if (!next) return;
		event.preventDefault();
		this.#activateCell(next);
		next.focus();
	}

	/**
	 * Returns the cell that a key leads to.
	 * @param {HTMLTableCellElement} cell
	 * @param {KeyboardEvent} event
	 */
	#nextCell(cell, { key, ctrlKey }) {
		const lines = this.#body.rows;
		const last = this.#options.columns.length - 1;
		const row = cell.parentElement;
		const line = row instanceof HTMLTableRowElement ? row.sectionRowIndex : 0;
		const column = cell.cellIndex;
		const [nextLine, nextColumn] =
			{
				ArrowLeft: [line, column - 1],
				ArrowRight: [line, column + 1],
				ArrowUp: [line - 1, column],
				ArrowDown: [line + 1, column],
				Home: [ctrlKey ? 0 : line, 0],
				End: [ctrlKey ? lines.length - 1 : line, last],
			}[key] ?? [];
		if (nextLine === undefined || nextColumn === undefined) return undefined;
		return lines[nextLine]?.cells[nextColumn];
	}
}
