// The dialog that sends one record.

import { h, setText } from "/assets/shared/dom.js";
import { fetchJson, messageOf } from "/assets/shared/fetch.js";
import { plural } from "/assets/shared/format.js";
import { actionButton, notice } from "/assets/shared/widgets.js";
import { messagesPath, recordQuery } from "./parts.js";

/** @import { SentRecord } from "/types/kafka-api.js" */

const MAX_PARTITIONS = 1000;

/** @param {string} text */
function isJson(text) {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

/** @param {string} name */
const headerInput = (name) =>
	h("input", {
		class: "input mono",
		placeholder: name,
		"aria-label": `Header ${name}`,
		autocomplete: "off",
		spellcheck: "false",
	});

/** Creates the list of headers, which grows line by line. */
function createHeaderInputs() {
	const lines = h("div", { class: "send-headers" });
	/** @type {Map<Element, HTMLInputElement[]>} */
	const inputs = new Map();
	function addLine() {
		const [name, value] = [headerInput("name"), headerInput("value")];
		const remove = actionButton("×", () => line.remove(), "icon-button");
		remove.title = "Remove";
		remove.setAttribute("aria-label", "Remove this header");
		const line = h("div", { class: "send-header" }, name, value, remove);
		inputs.set(line, [name, value]);
		lines.append(line);
		name.focus();
	}
	return {
		element: h(
			"div",
			{ class: "field" },
			h("span", { text: "Headers" }),
			lines,
			h("div", null, actionButton("Add a header", addLine, "button small")),
		),
		/** Returns name and value of each line that has one of them. */
		read: () =>
			[...lines.children]
				.map((line) => (inputs.get(line) ?? []).map(({ value }) => value))
				.filter(([name, value]) => name || value),
	};
}

/** Creates the box of the value: its text, or null. */
function createValueInput() {
	const area = h("textarea", {
		class: "input",
		name: "value",
		rows: "8",
		spellcheck: "false",
	});
	const isNull = h("input", { type: "checkbox", name: "null" });
	const check = h("span", { class: "tiny muted" });
	function describe() {
		if (isNull.checked || area.value.trim() === "") return "";
		return isJson(area.value) ? "valid JSON" : "not JSON, sent as text";
	}
	return {
		elements: [
			h("label", { class: "field" }, h("span", null, "Value ", check), area),
			h(
				"label",
				{ class: "check" },
				isNull,
				"null instead of a value (a tombstone)",
			),
		],
		read: () => (isNull.checked ? null : area.value),
		update() {
			area.disabled = isNull.checked;
			setText(check, describe());
		},
	};
}

/** Creates the choice of the partition. */
function createPartitionSelect() {
	const select = h("select", { class: "input", name: "partition" });
	return {
		element: h(
			"label",
			{ class: "field" },
			h("span", { text: "Partition" }),
			select,
		),
		read: () => (select.value === "" ? null : Number(select.value)),
		/** @param {number} count */
		update(count) {
			const chosen = select.value;
			const length = Math.min(count, MAX_PARTITIONS);
			select.replaceChildren(
				h("option", { value: "", text: "the key decides" }),
				...Array.from({ length }, (_, number) =>
					h("option", { value: number, text: number }),
				),
			);
			select.value = chosen;
		},
	};
}

/**
 * @param {string} topic
 * @param {SentRecord} sent
 * @param {() => void} close
 */
const sentNotice = (topic, sent, close) =>
	notice(
		"well",
		h(
			"p",
			null,
			`Written to partition ${sent.partition} at offset ${sent.offset}. `,
			h("a", {
				href: messagesPath(topic, recordQuery(sent)),
				"data-page": true,
				text: "Show it",
				on: { click: close },
			}),
		),
	);

/** Creates the box of the key, and the warning beside it. */
function createKeyInput() {
	const key = h("input", {
		class: "input mono",
		name: "key",
		autocomplete: "off",
		spellcheck: "false",
		"aria-describedby": "send-warning",
	});
	const warning = h("p", {
		class: "tiny send-warning",
		id: "send-warning",
		role: "status",
	});
	return {
		elements: [
			h("label", { class: "field" }, h("span", { text: "Key" }), key),
			warning,
		],
		focus: () => key.focus(),
		read: () => (key.value === "" ? null : key.value),
		/**
		 * Warns where a record without a key can land in any partition.
		 * @param {boolean} partitionChosen
		 * @param {number} partitions
		 */
		update(partitionChosen, partitions) {
			const random = key.value === "" && !partitionChosen && partitions > 1;
			setText(
				warning,
				random
					? `Without a key the record goes to one of ${plural(partitions, "partition")} at random: it keeps no order with others of its user, and Windrow refuses records without a key.`
					: "\u00a0",
			);
			warning.classList.toggle("level-soon", random);
		},
	};
}

/**
 * Creates the fields of a record.
 * @param {() => number | null} partitionCount
 */
function createRecordFields(partitionCount) {
	const key = createKeyInput();
	const value = createValueInput();
	const headers = createHeaderInputs();
	const partition = createPartitionSelect();
	const update = () => {
		key.update(partition.read() !== null, partitionCount() ?? 1);
		value.update();
	};
	return {
		elements: [
			key.elements,
			value.elements,
			headers.element,
			partition.element,
		],
		update,
		open() {
			partition.update(partitionCount() ?? 0);
			update();
			key.focus();
		},
		read: () => ({
			key: key.read(),
			value: value.read(),
			headers: headers.read(),
			partition: partition.read(),
		}),
	};
}

/**
 * Creates the dialog and the button that opens it.
 * @param {string} topic
 * @param {() => number | null} partitionCount
 */
export function createSendDialog(topic, partitionCount) {
	const fields = createRecordFields(partitionCount);
	const outcome = h("div", { class: "send-outcome", role: "status" });
	const close = () => dialog.close();
	const submit = h(
		"button",
		{ class: "button primary", type: "submit" },
		"Send",
	);
	const form = h(
		"form",
		{
			method: "dialog",
			class: "send-form",
			on: { input: fields.update, submit: send },
		},
		fields.elements,
		outcome,
		h("div", { class: "send-end" }, actionButton("Close", close), submit),
	);
	const title = h(
		"h2",
		{ id: "send-title" },
		"Send a record to ",
		h("span", { class: "mono", text: topic }),
	);
	const dialog = h(
		"dialog",
		{ class: "dialog", "aria-labelledby": "send-title" },
		title,
		form,
	);
	dialog.addEventListener("click", ({ target }) => {
		if (target === dialog) close();
	});

	/** @param {SubmitEvent} event */
	async function send(event) {
		event.preventDefault();
		submit.disabled = true;
		outcome.replaceChildren();
		const url = `/api/topics/${encodeURIComponent(topic)}/messages`;
		try {
			/** @type {SentRecord} */
			const sent = await fetchJson(url, { body: fields.read() });
			outcome.replaceChildren(sentNotice(topic, sent, close));
		} catch (fault) {
			const text = `Not written: ${messageOf(fault)}`;
			outcome.replaceChildren(notice("act", h("p", { text })));
		}
		submit.disabled = false;
	}

	function open() {
		outcome.replaceChildren();
		dialog.showModal();
		fields.open();
	}

	return { button: actionButton("Send a record", open), dialog, close };
}
