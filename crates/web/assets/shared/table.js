// A table that is read while it changes: sticky head, sorting, a filter, keyboard, a click copies a cell. Values change
// in place; rows change their order only when somebody sorts, and otherwise while nobody has pointer or focus in it.

import { copy, h, keyed, setAttr, setText } from "./dom.js";
import { middle } from "./format.js";

const RESORT_MS = 5000;

function compare(a, b) {
	const [noA, noB] = [
		a === null || a === undefined || Number.isNaN(a),
		b === null || b === undefined || Number.isNaN(b),
	];
	if (noA || noB) return noA - noB; // what is not known comes last
	return typeof a === "number" && typeof b === "number"
		? a - b
		: String(a).localeCompare(String(b), "en", { numeric: true });
}

/**
 * `columns`: `{ id, label, title, numeric, mono, wrap, sortable = true, text(row), value(row), exact(row), copy(row), href(row),
 * fill(td, row) }`. `text` is what is shown and filtered by; `value` what is sorted by (default `text`); `exact` the title;
 * `copy` what a click copies (default `text`); `href` makes it a link; `fill` draws the cell itself, in place.
 * `key(row)`: a row's identity. `mark(row)`: null, or a level (`soon`, `act`) for a highlighted row; say it in words too.
 * `sort`: `{ column, descending }`. `filter`: the filter's label, or nothing for none. `empty`: a node for no rows at all.
 * `limit`: how many rows are drawn (default 500). `stickFirst`: the first column stays while the table scrolls sideways.
 * `tools`: nodes beside the filter. `whole`: no scroll area of its own height.
 *
 * Returns `{ element, update(rows), filterBox }`.
 */
export function table({
	caption,
	columns,
	key,
	mark,
	sort,
	filter,
	empty,
	limit = 500,
	stickFirst = false,
	whole = false,
	tools = [],
}) {
	let rows = [];
	let order = [];
	let sorted = sort ? { ...sort } : null;
	let sortedAt = 0;
	let active = { row: null, column: columns[0].id };

	const heads = columns.map((column) => {
		const button =
			column.sortable === false
				? null
				: h(
						"button",
						{
							type: "button",
							title: column.title,
							on: { click: () => sortBy(column) },
						},
						column.label,
					);
		return h(
			"th",
			{
				scope: "col",
				class: column.numeric ? "numeric" : null,
				title: column.title,
			},
			button ?? column.label,
		);
	});
	const body = h("tbody");
	const grid = h(
		"table",
		{
			role: "grid",
			"aria-label": caption,
			class: stickFirst ? "stick-first" : null,
		},
		h("thead", null, h("tr", null, heads)),
		body,
	);
	const scroll = h(
		"div",
		{ class: whole ? "table-scroll whole" : "table-scroll" },
		grid,
	);
	const said = h("span", { class: "muted tiny", role: "status" });
	const filterBox = filter
		? h("input", {
				class: "input",
				type: "search",
				placeholder: filter,
				"aria-label": filter,
				autocomplete: "off",
				spellcheck: "false",
				on: { input: () => draw(true) },
			})
		: null;
	const toolbar =
		filterBox || tools.length
			? h("div", { class: "table-tools" }, filterBox, tools, said)
			: null;
	const nothing = h("div", { hidden: true }, empty);
	const element = h("div", { class: "table" }, toolbar, scroll, nothing);

	function sortBy(column) {
		const same = sorted?.column === column.id;
		sorted = {
			column: column.id,
			descending: same ? !sorted.descending : Boolean(column.numeric),
		};
		draw(true);
	}

	const textOf = (column, row) => String(column.text?.(row) ?? "");

	function matching() {
		const words = (filterBox?.value ?? "")
			.toLowerCase()
			.split(/\s+/)
			.filter(Boolean);
		if (words.length === 0) return rows;
		return rows.filter((row) => {
			const text = columns
				.map((column) => `${textOf(column, row)} ${column.copy?.(row) ?? ""}`)
				.join(" ")
				.toLowerCase();
			return words.every((word) => text.includes(word));
		});
	}

	function ordered(found, anew) {
		const column = columns.find((each) => each.id === sorted?.column);
		const held =
			!anew &&
			(performance.now() - sortedAt < RESORT_MS ||
				element.matches(":hover, :focus-within"));
		const places = new Map(order.map((id, index) => [id, index]));
		if (held && found.every((row) => places.has(String(key(row))))) {
			return [...found].sort(
				(a, b) => places.get(String(key(a))) - places.get(String(key(b))),
			);
		}
		sortedAt = performance.now();
		if (!column) return found;
		const value = (row) =>
			column.value ? column.value(row) : textOf(column, row);
		return found
			.map((row, index) => [value(row), index, row])
			.sort((a, b) => {
				const none = [a, b].some(
					([each]) => each === null || each === undefined,
				);
				return (
					compare(a[0], b[0]) * (sorted.descending && !none ? -1 : 1) ||
					a[1] - b[1]
				);
			})
			.map(([, , row]) => row);
	}

	function draw(anew = false) {
		const found = matching();
		const all = ordered(found, anew);
		const shown = all.slice(0, limit);
		order = shown.map((row) => String(key(row)));
		heads.forEach((head, index) =>
			setAttr(
				head,
				"aria-sort",
				sorted?.column === columns[index].id
					? sorted.descending
						? "descending"
						: "ascending"
					: null,
			),
		);
		keyed(body, shown, key, create, fill);
		if (!order.includes(active.row)) active.row = order[0] ?? null;
		for (const row of body.rows) {
			for (const cell of row.cells) {
				setAttr(
					cell,
					"tabindex",
					row.dataset.row === active.row &&
						cell.dataset.column === active.column
						? "0"
						: "-1",
				);
			}
		}
		scroll.hidden = rows.length === 0 && Boolean(empty);
		nothing.hidden = !scroll.hidden;
		if (toolbar) toolbar.hidden = scroll.hidden && !tools.length;
		const hidden = found.length - shown.length;
		setText(
			said,
			hidden > 0
				? `the first ${shown.length} of ${found.length}`
				: found.length < rows.length
					? `${found.length} of ${rows.length}`
					: "",
		);
	}

	function create(row) {
		const id = String(key(row));
		return h(
			"tr",
			{ data: { row: id } },
			columns.map((column) =>
				h("td", {
					class:
						[
							column.numeric && "numeric",
							column.mono && "mono",
							column.wrap && "wrap",
						]
							.filter(Boolean)
							.join(" ") || null,
					data: { column: column.id },
					tabindex: "-1",
				}),
			),
		);
	}

	function fill(line, row) {
		line.record = row;
		const level = mark?.(row) ?? null;
		const wanted = level ? `marked level-${level}` : "";
		if (line.className !== wanted) line.className = wanted;
		columns.forEach((column, index) => {
			const cell = line.cells[index];
			setAttr(cell, "title", column.exact?.(row));
			if (column.fill) {
				column.fill(cell, row);
			} else if (column.href) {
				const link = cell.firstChild ?? cell.appendChild(h("a"));
				setAttr(link, "href", column.href(row));
				setText(link, textOf(column, row));
			} else {
				setText(cell, textOf(column, row));
			}
		});
	}

	function copyCell(cell) {
		const column = columns.find((each) => each.id === cell.dataset.column);
		const row = cell.parentNode.record;
		copy(String(column.copy?.(row) ?? textOf(column, row)));
	}

	body.addEventListener("click", (event) => {
		const cell = event.target.closest("td");
		if (
			!cell ||
			event.target.closest("a, button") ||
			String(getSelection()) !== ""
		)
			return;
		focusCell(cell, false);
		copyCell(cell);
	});

	function focusCell(cell, focus = true) {
		body.querySelector('td[tabindex="0"]')?.setAttribute("tabindex", "-1");
		active = { row: cell.parentNode.dataset.row, column: cell.dataset.column };
		cell.tabIndex = 0;
		if (focus) cell.focus();
	}

	body.addEventListener("keydown", (event) => {
		const cell = event.target.closest("td");
		if (!cell || event.altKey) return;
		const line = cell.parentNode;
		if (
			event.key === "Enter" ||
			(event.key.toLowerCase() === "c" && !(event.ctrlKey || event.metaKey))
		) {
			if (event.target !== cell) return;
			event.preventDefault();
			const link = cell.querySelector("a, button");
			if (link && event.key === "Enter") link.click();
			else copyCell(cell);
			return;
		}
		const to = {
			ArrowLeft: cell.previousElementSibling,
			ArrowRight: cell.nextElementSibling,
			ArrowUp: line.previousElementSibling?.cells[cell.cellIndex],
			ArrowDown: line.nextElementSibling?.cells[cell.cellIndex],
			Home: event.ctrlKey ? body.rows[0].cells[0] : line.cells[0],
			End: event.ctrlKey
				? body.rows[body.rows.length - 1].cells[columns.length - 1]
				: line.cells[columns.length - 1],
		}[event.key];
		if (to) {
			event.preventDefault();
			focusCell(to);
		}
	});

	return {
		element,
		filterBox,
		update(next) {
			rows = next;
			draw();
		},
	};
}

/** Fills a cell with a main text and a smaller one beside it. */
export function pair(cell, main, sub) {
	if (!cell.firstChild) cell.append(h("span"), h("span", { class: "sub" }));
	setText(cell.firstChild, main);
	setText(cell.lastChild, sub ?? "");
}

/** A column for a long id: shortened in the middle, whole in the title and when copied. */
export function idColumn(id, label, of, most = 24) {
	return {
		id,
		label,
		mono: true,
		text: (row) => middle(of(row) ?? "–", most),
		value: of,
		exact: of,
		copy: (row) => of(row) ?? "",
	};
}
