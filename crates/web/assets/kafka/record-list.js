// The list of records, with its status, progress, notice, and the buttons to newer and older ones.

import { h, keyedList, setText } from "/assets/shared/dom.js";
import { capitalize } from "/assets/shared/format.js";
import { actionButton, notice } from "/assets/shared/widgets.js";
import { createRecordLine } from "./record-line.js";

/** @import { KafkaRecord } from "/types/kafka-api.js" */

/** Where the shown records end, and whether there are more. @typedef {{ older: string, newer: string, hasOlder: boolean, hasNewer: boolean }} Edges */

const COLUMNS = ["Time", "Partition : offset", "Key", "Value", "Size"];
/** A list of so many records gets the buttons below it too. */
const PAGER_FROM = 10;

/** Creates the line above the list: a status, and buttons at its end. */
function createStatusLine() {
	const status = h("span");
	const buttons = h("span", { class: "end" });
	return {
		element: h(
			"div",
			{ class: "message-status", role: "status" },
			status,
			buttons,
		),
		status,
		/** @param {HTMLElement[]} wanted */
		setButtons: (...wanted) => buttons.replaceChildren(...wanted),
	};
}

/** Creates a hidden bar. */
function createProgressBar() {
	const fill = h("span");
	const element = h("div", { class: "bar level-plain", hidden: true }, fill);
	return {
		element,
		/** @param {number | null} share null hides the bar */
		set(share) {
			element.hidden = share === null;
			if (share !== null)
				fill.style.transform = `scaleX(${Math.max(0, Math.min(1, share))})`;
		},
	};
}

/**
 * Creates the two buttons.
 * @param {(way: "before" | "after") => void} move
 * @param {string} classes
 */
function createMoveButtons(move, classes) {
	const newer = actionButton("Newer", () => move("after"), classes);
	const older = actionButton("Older", () => move("before"), classes);
	return {
		elements: [newer, older],
		/** @param {Edges} edges */
		update({ hasNewer, hasOlder }) {
			newer.disabled = !hasNewer;
			older.disabled = !hasOlder;
		},
	};
}

/**
 * Creates the lines of records below their heads, and the box in their place.
 * @param {string} topic
 */
function createRecordLines(topic) {
	const list = h("div", { class: "records" });
	const lines = keyedList(
		list,
		/** @param {{ record: KafkaRecord, order: string }} item */
		({ record: { partition, offset }, order }) =>
			`${order} ${partition}:${offset}`,
		({ record }) => ({ element: createRecordLine(topic, record) }),
	);
	const columns = h(
		"div",
		{ class: "record-columns muted tiny", "aria-hidden": "true", hidden: true },
		COLUMNS.map((label) => h("span", { text: label })),
	);
	return {
		columns,
		list,
		/**
		 * @param {KafkaRecord[]} records
		 * @param {"newest first" | "oldest first"} order
		 */
		update(records, order) {
			lines.update(records.map((record) => ({ record, order })));
			columns.hidden = records.length === 0;
		},
	};
}

/** Creates the hidden notice of a warning. */
function createWarning() {
	const text = h("p");
	const element = notice("soon", text);
	element.hidden = true;
	return {
		element,
		/** @param {string} why */
		show(why) {
			setText(text, capitalize(why));
			element.hidden = false;
		},
	};
}

/**
 * Creates the list.
 * @param {string} topic
 * @param {(way: "before" | "after") => void} move
 */
export function createRecordList(topic, move) {
	const { element: statusLine, status, setButtons } = createStatusLine();
	const progress = createProgressBar();
	const warning = createWarning();
	const { columns, list, update: showRecords } = createRecordLines(topic);
	const emptyBox = h("div");
	const topButtons = createMoveButtons(move, "button small");
	const bottomButtons = createMoveButtons(move, "button");
	const pager = h(
		"div",
		{ class: "pager", hidden: true },
		bottomButtons.elements,
	);
	return {
		elements: [
			statusLine,
			progress.element,
			warning.element,
			columns,
			list,
			emptyBox,
			pager,
		],
		status,
		setButtons,
		setProgress: progress.set,
		showWarning: warning.show,
		showRecords,
		/** Removes the parts that belong to the records shown before. */
		reset() {
			warning.element.hidden = true;
			pager.hidden = true;
			emptyBox.replaceChildren();
		},
		isEmpty: () => list.childElementCount === 0,
		/** @param {HTMLElement[]} nodes the content shown in the place of records */
		showEmpty: (...nodes) => emptyBox.replaceChildren(...nodes),
		/** @param {Edges} edges */
		showMoveButtons(edges) {
			topButtons.update(edges);
			bottomButtons.update(edges);
			setButtons(...topButtons.elements);
			pager.hidden = list.childElementCount < PAGER_FROM;
		},
		scrollIntoView: () => list.scrollIntoView({ block: "nearest" }),
	};
}
