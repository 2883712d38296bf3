// Small parts that every page uses: icons, text to copy, notices.

import { h, s, setAttr, setText } from "./dom.js";

/** @import { Child } from "/types/components.js" */

const ICON_PATHS = {
	well: "M3 8.5l3.2 3.2L13 5",
	soon: "M8 2l6.5 11.5h-13zM8 6.5v3.2M8 11.6v.1",
	act: "M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2zM8 4.8v3.8M8 11v.1",
	plain: "M4 8h8",
	copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
	search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3l3.4 3.4",
	pause: "M5.5 3.5v9M10.5 3.5v9",
	play: "M5 3.2l7.5 4.8L5 12.8z",
	unreachable:
		"M2 2l12 12M5 10.5a4.2 4.2 0 0 1 2-1.1M2.7 7.6a8 8 0 0 1 2.2-1.4M8 5.2a8 8 0 0 1 5.3 2.4M8 13v.1",
	busy: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5M8 5v3l2 1.5",
};

/**
 * Creates a small line icon.
 * @param {keyof typeof ICON_PATHS} name
 */
export function icon(name) {
	return s(
		"svg",
		{
			viewBox: "0 0 16 16",
			fill: "none",
			stroke: "currentColor",
			"stroke-width": "1.5",
			"stroke-linecap": "round",
			"stroke-linejoin": "round",
			"aria-hidden": "true",
		},
		s("path", { d: ICON_PATHS[name] }),
	);
}

/** @type {HTMLElement | undefined} */
let toast;
/** @type {number | undefined} */
let toastTimer;

/**
 * Shows a text at the bottom of the page for three seconds; screen readers read it out.
 * @param {string} text
 */
export function showToast(text) {
	if (!toast) {
		toast = h("div", { class: "toast", role: "status" });
		document.body.append(toast);
	}
	setText(toast, text);
	clearTimeout(toastTimer);
	toastTimer = setTimeout(() => showToast(""), 3000);
}

/**
 * Copies a text without the clipboard API, which exists only on secure origins.
 * @param {string} text
 */
function copyBySelection(text) {
	const area = h("textarea", {
		class: "visually-hidden",
		"aria-hidden": "true",
		tabindex: "-1",
	});
	area.value = text;
	const focused = document.activeElement;
	document.body.append(area);
	area.select();
	const copied = document.execCommand("copy");
	area.remove();
	if (focused instanceof HTMLElement) focused.focus();
	return copied;
}

/**
 * Copies a text to the clipboard and confirms it.
 * @param {string} text
 */
export async function copyText(text) {
	let copied = true;
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		copied = copyBySelection(text);
	}
	const short = text.length > 60 ? `${text.slice(0, 59)}…` : text;
	showToast(
		copied
			? `Copied ${short}`
			: "The browser does not allow copying here: select the text instead",
	);
}

/**
 * Creates a text in code type with a button that copies it.
 * @param {string} text
 * @param {string} subject names the text for screen readers
 */
export function copyableText(text, subject) {
	const code = h("code", { text });
	const button = h(
		"button",
		{
			class: "icon-button",
			type: "button",
			title: "Copy",
			"aria-label": `Copy ${subject}`,
			on: { click: () => copyText(code.textContent) },
		},
		icon("copy"),
	);
	return {
		element: h("span", { class: "copyable" }, code, button),
		/** @param {string} next */
		update: (next) => setText(code, next),
	};
}

/**
 * Creates a button with its listener.
 * @param {string} label
 * @param {(event: MouseEvent) => void} click
 * @param {string} [classes]
 */
export const actionButton = (label, click, classes = "button") =>
	h("button", { class: classes, type: "button", on: { click } }, label);

/**
 * Creates what stands in the place of missing content: what is missing, why, and what to do about it.
 * @param {string} title
 * @param {(string | Node)[]} paragraphs
 */
export function emptyState(title, ...paragraphs) {
	return h(
		"div",
		{ class: "empty" },
		h("strong", { text: title }),
		paragraphs.map((part) =>
			part instanceof Node ? part : h("p", { text: part }),
		),
	);
}

/**
 * Creates a notice with an icon.
 * @param {"well" | "soon" | "act" } level
 * @param {Child[]} children
 */
export const notice = (level, ...children) =>
	h("div", { class: `notice level-${level}` }, icon(level), children);

/**
 * Creates a list of names with their values, without those that have none.
 * @param {[name: string, value: Child][]} facts
 * @param {string} [classes]
 */
export const factList = (facts, classes = "facts") =>
	h(
		"dl",
		{ class: classes },
		facts
			.filter(([, value]) => value !== null && value !== undefined)
			.map(([name, value]) => [h("dt", { text: name }), h("dd", null, value)]),
	);

/**
 * Creates the head of a section.
 * @param {string} title
 * @param {Child[]} children
 */
export const sectionHead = (title, ...children) =>
	h("div", { class: "section-head" }, h("h2", { text: title }), children);

/**
 * Creates a headline figure: label, value, note, and optionally a drawing beside the value.
 * @param {string} label
 * @param {Element} [drawing]
 */
export function createFigure(label, drawing) {
	const value = h("div", { class: "figure-value", text: "–" });
	const note = h("div", { class: "figure-note", text: "\u00a0" });
	return {
		element: h(
			"div",
			{ class: "figure" },
			h("div", { class: "figure-label", text: label }),
			drawing ? h("div", { class: "figure-line" }, value, drawing) : value,
			note,
		),
		note,
		/**
		 * @param {string} text
		 * @param {string} noteText
		 * @param {string | null} [title]
		 */
		update(text, noteText, title) {
			setText(value, text);
			setText(note, noteText);
			setAttr(value, "title", title);
		},
	};
}

/**
 * Runs `work`. An exception becomes a notice at the top of `panel`, and the rest of the page goes on.
 * @param {Element} panel
 * @param {() => void} work
 */
export function runOrShowFault(panel, work) {
	const shown = panel.querySelector(":scope > .panel-fault");
	try {
		work();
		shown?.remove();
	} catch (fault) {
		console.warn("panel", fault);
		if (shown) return;
		const element = notice(
			"soon",
			h(
				"span",
				null,
				"This part of the page could not be shown. Reload the page; its values are also in the JSON below.",
			),
		);
		element.classList.add("panel-fault");
		element.setAttribute("role", "status");
		panel.prepend(element);
	}
}
