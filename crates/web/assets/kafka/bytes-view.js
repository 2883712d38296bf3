// The bytes of a key or a value, with a choice of how to show them.

import { h, setText } from "/assets/shared/dom.js";
import { messageOf } from "/assets/shared/fetch.js";
import { formatBytes } from "/assets/shared/format.js";
import { indentJson } from "/assets/shared/json.js";
import { actionButton, copyText, icon } from "/assets/shared/widgets.js";
import { hexDump, looksLikeJson } from "./bytes.js";

/** @import { KafkaBytes } from "/types/kafka-api.js" */

/** @type {Record<string, (bytes: KafkaBytes) => string>} */
const FORMS = {
	JSON: ({ text }) => indentJson(text ?? ""),
	Text: ({ text }) => text ?? "",
	Hex: hexDump,
};

/**
 * Returns the forms in which bytes can be shown, the best first.
 * @param {KafkaBytes} bytes
 */
function formsOf(bytes) {
	if (bytes.text === undefined) return ["Hex"];
	return looksLikeJson(bytes) ? ["JSON", "Text", "Hex"] : ["Text", "Hex"];
}

/** @param {KafkaBytes} bytes */
function describeSize({ bytes, whole, text, base64 }) {
	if (bytes === 0) return "empty";
	if (whole) return formatBytes(bytes);
	const shown = text?.length || (base64?.length ?? 0) * 0.75;
	return `the first ${formatBytes(shown)} of ${formatBytes(bytes)}`;
}

/**
 * Creates the buttons that choose a form.
 * @param {string[]} forms
 * @param {(form: string) => void} choose
 */
function createFormButtons(forms, choose) {
	const buttons = forms.map((form) =>
		actionButton(form, () => select(form), "button small"),
	);
	/** @param {string} form */
	function select(form) {
		for (const button of buttons) {
			const pressed = button.textContent === form;
			button.setAttribute("aria-pressed", String(pressed));
		}
		choose(form);
	}
	return { buttons, select };
}

/**
 * Creates the view of a key or a value.
 * @param {string} name
 * @param {KafkaBytes | null} bytes
 * @param {string} nullText shown for null
 * @param {() => Promise<KafkaBytes>} [fetchWhole] for bytes that the server cut
 */
export function createBytesView(name, bytes, nullText, fetchWhole) {
	const heading = h("h3", { text: name });
	if (bytes === null)
		return h(
			"div",
			{ class: "record-block" },
			heading,
			h("p", { class: "muted", text: nullText }),
		);
	let shown = bytes;
	let form = "";
	const code = h("pre", { class: "code", tabindex: "0", "aria-label": name });
	const note = h("span", { class: "muted tiny" });
	const showWhole = actionButton("Show whole", loadWhole, "button small");
	const forms = formsOf(bytes);
	const { buttons, select } = createFormButtons(forms, (chosen) => {
		form = chosen;
		code.classList.toggle("wrap", form !== "Hex");
		draw();
	});

	function draw() {
		setText(code, shown.bytes === 0 ? "" : FORMS[form](shown));
		setText(note, describeSize(shown));
		showWhole.hidden = shown.whole || !fetchWhole;
	}

	async function loadWhole() {
		showWhole.disabled = true;
		try {
			if (fetchWhole) shown = await fetchWhole();
			draw();
		} catch (fault) {
			setText(note, messageOf(fault));
		}
		showWhole.disabled = false;
	}

	select(forms[0]);
	const copy = actionButton(
		"",
		() => copyText(code.textContent),
		"icon-button",
	);
	copy.title = "Copy";
	copy.setAttribute("aria-label", `Copy ${name.toLowerCase()}`);
	copy.append(icon("copy"));
	return h(
		"div",
		{ class: "record-block" },
		h(
			"div",
			{ class: "record-block-head" },
			heading,
			note,
			h("div", { class: "end" }, showWhole, buttons, copy),
		),
		code,
	);
}
