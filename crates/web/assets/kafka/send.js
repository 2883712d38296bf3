// Sending one record: a dialog.

import { h, icon, setText } from "/assets/shared/dom.js";
import { plural } from "/assets/shared/format.js";
import { fetchJson } from "/assets/shared/live.js";
import { messagesPath } from "./parts.js";

/** The button and its dialog. `partitions()` is how many the topic has. */
export function sending(topic, partitions, onSent = () => {}) {
	const key = h("input", {
		class: "input mono",
		name: "key",
		autocomplete: "off",
		spellcheck: "false",
		"aria-describedby": "send-warning",
	});
	const value = h("textarea", {
		class: "input",
		name: "value",
		rows: "8",
		spellcheck: "false",
	});
	const isNull = h("input", { type: "checkbox", name: "null" });
	const place = h("select", { class: "input", name: "partition" });
	const headerBox = h("div", { class: "send-headers" });
	const warning = h("p", {
		class: "tiny send-warning",
		id: "send-warning",
		role: "status",
	});
	const checked = h("span", { class: "tiny muted" });
	const outcome = h("div", { class: "send-outcome", role: "status" });
	const go = h("button", { class: "button primary", type: "submit" }, "Send");
	const form = h(
		"form",
		{ method: "dialog", class: "send-form" },
		h("label", { class: "field" }, h("span", { text: "Key" }), key),
		warning,
		h("label", { class: "field" }, h("span", null, "Value ", checked), value),
		h(
			"label",
			{ class: "check" },
			isNull,
			"null instead of a value (a tombstone)",
		),
		h(
			"div",
			{ class: "field" },
			h("span", { text: "Headers" }),
			headerBox,
			h(
				"div",
				null,
				h(
					"button",
					{
						class: "button small",
						type: "button",
						on: { click: () => addHeader().querySelector("input").focus() },
					},
					"Add a header",
				),
			),
		),
		h("label", { class: "field" }, h("span", { text: "Partition" }), place),
		outcome,
		h(
			"div",
			{ class: "send-end" },
			h(
				"button",
				{
					class: "button",
					type: "button",
					on: { click: () => dialog.close() },
				},
				"Close",
			),
			go,
		),
	);
	const dialog = h(
		"dialog",
		{ class: "dialog", "aria-labelledby": "send-title" },
		h(
			"h2",
			{ id: "send-title" },
			"Send a record to ",
			h("span", { class: "mono", text: topic }),
		),
		form,
	);
	const button = h(
		"button",
		{ class: "button", type: "button", on: { click: open } },
		"Send a record",
	);

	function addHeader() {
		const line = h(
			"div",
			{ class: "send-header" },
			h("input", {
				class: "input mono",
				placeholder: "name",
				"aria-label": "Header name",
				autocomplete: "off",
				spellcheck: "false",
			}),
			h("input", {
				class: "input mono",
				placeholder: "value",
				"aria-label": "Header value",
				autocomplete: "off",
				spellcheck: "false",
			}),
			h(
				"button",
				{
					class: "icon-button",
					type: "button",
					"aria-label": "Remove this header",
					title: "Remove",
					on: { click: () => line.remove() },
				},
				"×",
			),
		);
		headerBox.append(line);
		return line;
	}

	function open() {
		const count = partitions();
		const chosen = place.value;
		place.replaceChildren(
			h("option", { value: "", text: "the key decides" }),
			...Array.from({ length: Math.min(count ?? 0, 1000) }, (_, nth) =>
				h("option", { value: nth, text: nth }),
			),
		);
		place.value = chosen;
		outcome.replaceChildren();
		warn();
		dialog.showModal();
		key.focus();
	}

	function warn() {
		const count = partitions() ?? 1;
		const matters = key.value === "" && place.value === "" && count > 1;
		setText(
			warning,
			matters
				? `Without a key, chance decides among ${plural(count, "partition")}: the record keeps no order with others of its user, and Windrow refuses records without a key.`
				: "\u00a0",
		);
		warning.classList.toggle("level-soon", matters);
		value.disabled = isNull.checked;
		setText(
			checked,
			value.value.trim() === "" || isNull.checked
				? ""
				: isJson(value.value)
					? "valid JSON"
					: "not JSON, sent as text",
		);
	}

	function isJson(text) {
		try {
			JSON.parse(text);
			return true;
		} catch {
			return false;
		}
	}

	form.addEventListener("input", warn);
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		go.disabled = true;
		outcome.replaceChildren();
		const headers = [...headerBox.children]
			.map((line) =>
				[...line.querySelectorAll("input")].map((box) => box.value),
			)
			.filter(([name, text]) => name || text);
		const body = {
			key: key.value === "" ? null : key.value,
			value: isNull.checked ? null : value.value,
			headers,
			partition: place.value === "" ? null : Number(place.value),
		};
		try {
			const written = await fetchJson(
				`/api/topics/${encodeURIComponent(topic)}/messages`,
				{ body },
			);
			outcome.replaceChildren(
				h(
					"div",
					{ class: "notice level-well" },
					icon("well"),
					h(
						"p",
						null,
						`Written to partition ${written.partition} at offset ${written.offset}. `,
						h("a", {
							href: messagesPath(
								topic,
								`from=offset:${written.offset}&partition=${written.partition}`,
							),
							"data-page": true,
							text: "Show it",
							on: { click: () => dialog.close() },
						}),
					),
				),
			);
			onSent(written);
		} catch (fault) {
			outcome.replaceChildren(
				h(
					"div",
					{ class: "notice level-act" },
					icon("act"),
					h("p", { text: `Not written: ${fault.message}` }),
				),
			);
		}
		go.disabled = false;
	});
	dialog.addEventListener(
		"click",
		(event) => event.target === dialog && dialog.close(),
	);
	return { button, dialog };
}
