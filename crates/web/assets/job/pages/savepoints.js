// Savepoints: the form that takes one, and the list of those that exist.

import { h, keyedList, setAttr, setText } from "/assets/shared/dom.js";
import { fetchJson, messageOf } from "/assets/shared/fetch.js";
import {
	formatBytes,
	formatExact,
	formatExactTime,
	formatTime,
	plural,
} from "/assets/shared/format.js";
import { copyableText, notice } from "/assets/shared/widgets.js";

/** @import { Savepoint, SavepointProgress, SavepointRequest } from "/types/job-api.js" */

const POLL_MS = 500;

/**
 * Returns the command that starts a job from a savepoint, quoted for a shell where needed.
 * @param {string} location
 */
function runCommand(location) {
	const plain = /^[A-Za-z0-9_@%+=:,./-]+$/.test(location);
	const quoted = `'${location.replaceAll("'", "'\\''")}'`;
	return `windrow run --from ${plain ? location : quoted}`;
}

/** @param {string} text */
const smallLabel = (text) => h("span", { class: "muted tiny", text });

/**
 * @param {string} reason
 * @param {string} todo
 */
const failureNotice = (reason, todo) =>
	notice(
		"act",
		h(
			"div",
			null,
			h("strong", { text: "No savepoint was taken." }),
			h("p", { text: reason }),
			h("p", { class: "muted", text: `The job goes on as before. ${todo}` }),
		),
	);

/**
 * @param {number} partitions
 * @param {string} location
 */
const completedNotice = (partitions, location) =>
	notice(
		"well",
		h(
			"div",
			{ class: "savepoint-done" },
			h("strong", {
				text: `Savepoint of ${plural(partitions, "partition")} taken.`,
			}),
			smallLabel("Its place"),
			copyableText(location, "the savepoint's place").element,
			smallLabel("A job that starts from it"),
			copyableText(runCommand(location), "the command").element,
		),
	);

/** Creates the line and the bar that show how far a savepoint is. */
function createProgress() {
	const line = h("p", {
		class: "muted",
		text: "Asking every instance to save its partitions …",
	});
	const fill = h("span");
	fill.style.transform = "scaleX(0)";
	return {
		elements: [line, h("div", { class: "bar level-plain" }, fill)],
		/**
		 * @param {number} saved
		 * @param {number} partitions
		 */
		update(saved, partitions) {
			setText(line, `${saved} of ${plural(partitions, "partition")} saved …`);
			fill.style.transform = `scaleX(${partitions ? saved / partitions : 0})`;
		},
	};
}

/**
 * Takes a savepoint and shows its progress in `result`.
 * @param {string | null} target
 * @param {HTMLElement} result
 * @param {() => boolean} isClosed
 */
async function takeSavepoint(target, result, isClosed) {
	const progress = createProgress();
	result.replaceChildren(...progress.elements);
	/** @type {SavepointRequest} */
	const { request } = await fetchJson("/api/savepoints", {
		body: { to: target },
	});
	for (;;) {
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
		if (isClosed()) return;
		/** @type {SavepointProgress} */
		const state = await fetchJson(
			`/api/savepoints/${encodeURIComponent(request)}`,
		);
		if (state.status === "in_progress") {
			progress.update(state.saved, state.partitions);
			continue;
		}
		result.replaceChildren(
			state.status === "completed"
				? completedNotice(state.partitions, state.location)
				: failureNotice(
						state.failure,
						"Check that every instance is running and reaches the target, then try again.",
					),
		);
		return;
	}
}

/** Creates the form that takes a savepoint. */
export function createSavepointForm() {
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
	/** @param {SubmitEvent} event */
	async function submit(event) {
		event.preventDefault();
		button.disabled = true;
		try {
			await takeSavepoint(target.value.trim() || null, result, () => closed);
		} catch (fault) {
			const todo = "Correct the target or the server's state, then try again.";
			if (!closed)
				result.replaceChildren(failureNotice(messageOf(fault), todo));
		} finally {
			button.disabled = false;
		}
	}
	const label = h("label", {
		for: "savepoint-to",
		text: "Target (optional): a location that the pipeline file allows",
	});
	return {
		element: h(
			"form",
			{ class: "savepoint", on: { submit } },
			h(
				"div",
				{ class: "form-row" },
				h("div", { class: "field" }, label, target),
				button,
			),
			result,
		),
		close() {
			closed = true;
		},
	};
}

/** Creates the entry of a savepoint, which opens to its place and the command that uses it. */
function createSavepointEntry() {
	const taken = h("span");
	const size = h("span", { class: "muted" });
	const id = h("span", { class: "muted mono ellipsis" });
	const place = copyableText("", "the savepoint's place");
	const command = copyableText("", "the command");
	return {
		element: h(
			"details",
			{ class: "entry" },
			h("summary", null, taken, size, id),
			h(
				"div",
				{ class: "entry-body stack" },
				smallLabel("Place"),
				place.element,
				smallLabel("A job that starts from it"),
				command.element,
			),
		),
		/** @param {Savepoint} savepoint */
		update(savepoint) {
			const { partitions, bytes } = savepoint;
			setText(taken, formatTime(savepoint.taken_at_ms));
			setAttr(taken, "title", formatExactTime(savepoint.taken_at_ms));
			setText(
				size,
				`${plural(partitions, "partition")}, ${formatBytes(bytes)}`,
			);
			setAttr(size, "title", formatExact(bytes, "bytes"));
			setText(id, savepoint.id);
			place.update(savepoint.place);
			command.update(runCommand(savepoint.place));
		},
	};
}

/** Creates the list of savepoints. */
export function createSavepointList() {
	const none = h("p", {
		class: "muted",
		text: "None yet. A savepoint is a copy of all state that Windrow never deletes: take one before an upgrade or a change of the pipeline.",
	});
	const box = h("div", { class: "savepoints" });
	const list = keyedList(
		box,
		/** @param {Savepoint} savepoint */
		({ place, id }) => place || id,
		createSavepointEntry,
	);
	return {
		elements: [none, box],
		/** @param {Savepoint[]} savepoints */
		update(savepoints) {
			none.hidden = savepoints.length > 0;
			list.update(savepoints);
		},
	};
}
