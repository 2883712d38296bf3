// The button that takes a savepoint: target, progress, and what to do with the result.

import { copyable, h, icon, setText } from "/assets/shared/dom.js";
import { plural } from "/assets/shared/format.js";
import { fetchJson } from "/assets/shared/live.js";

const POLL_MS = 500;

/** The command that begins from a savepoint, quoted for a shell where needed. */
export function fromCommand(location) {
	const plain = /^[A-Za-z0-9_@%+=:,./-]+$/.test(location);
	return `windrow run --from ${plain ? location : `'${location.replaceAll("'", "'\\''")}'`}`;
}

/** `{ element, close() }`. */
export function savepointForm() {
	let closed = false;
	const target = h("input", {
		class: "input",
		type: "text",
		id: "savepoint-to",
		autocomplete: "off",
		spellcheck: "false",
		placeholder: "beside the checkpoints",
	});
	const button = h(
		"button",
		{ class: "button primary", type: "submit" },
		"Take savepoint",
	);
	const result = h("div", { class: "savepoint-result", role: "status" });
	const element = h(
		"form",
		{ class: "savepoint", on: { submit: take } },
		h(
			"div",
			{ class: "form-row" },
			h(
				"div",
				{ class: "field" },
				h("label", {
					for: "savepoint-to",
					text: "Where to (optional): a directory or bucket that all instances reach",
				}),
				target,
			),
			button,
		),
		result,
	);

	function fault(text, todo) {
		result.replaceChildren(
			h(
				"div",
				{ class: "notice level-act" },
				icon("act"),
				h(
					"div",
					null,
					h("strong", { text: "No savepoint was taken." }),
					h("p", { text }),
					h("p", { class: "muted", text: todo }),
				),
			),
		);
	}

	async function take(event) {
		event.preventDefault();
		button.disabled = true;
		const line = h("p", {
			class: "muted",
			text: "Asking every instance to save its partitions …",
		});
		const bar = h("div", { class: "bar level-plain" }, h("span"));
		bar.firstChild.style.transform = "scaleX(0)";
		result.replaceChildren(line, bar);
		try {
			const { request } = await fetchJson("/api/savepoints", {
				body: { to: target.value.trim() || null },
			});
			for (;;) {
				await new Promise((done) => setTimeout(done, POLL_MS));
				if (closed) return;
				const now = await fetchJson(
					`/api/savepoints/${encodeURIComponent(request)}`,
				);
				if (now.status === "completed") {
					result.replaceChildren(
						h(
							"div",
							{ class: "notice level-well" },
							icon("well"),
							h(
								"div",
								{ class: "savepoint-done" },
								h("strong", {
									text: `Savepoint of ${plural(now.partitions, "partition")} taken.`,
								}),
								h("span", { class: "muted tiny", text: "It lies at" }),
								copyable(now.location, "the savepoint's place"),
								h("span", {
									class: "muted tiny",
									text: "A job that begins there",
								}),
								copyable(fromCommand(now.location), "the command"),
							),
						),
					);
					return;
				}
				if (now.status === "failed") {
					fault(
						now.failure || "It failed.",
						"The job goes on as before. Check that every instance is running and reaches the target, then try again.",
					);
					return;
				}
				setText(
					line,
					`${now.saved ?? 0} of ${plural(now.partitions, "partition")} saved …`,
				);
				bar.firstChild.style.transform = `scaleX(${now.partitions ? (now.saved ?? 0) / now.partitions : 0})`;
			}
		} catch (problem) {
			if (!closed)
				fault(
					problem.message,
					"The job goes on as before. Correct the target or the server's state, then try again.",
				);
		} finally {
			button.disabled = false;
		}
	}

	return { element, close: () => (closed = true) };
}
