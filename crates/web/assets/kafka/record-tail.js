// Follows a topic: new records appear as they come. A pause keeps them until it ends.

import { h, setText } from "/assets/shared/dom.js";
import { fetchJson } from "/assets/shared/fetch.js";
import { formatCount, formatExact } from "/assets/shared/format.js";
import { actionButton, emptyState } from "/assets/shared/widgets.js";

/** @import { KafkaPageContext } from "/types/components.js" */
/** @import { KafkaRecord, TailMessage } from "/types/kafka-api.js" */
/** @import { createRecordList } from "./record-list.js" */

const MAX_RECORDS = 300;
const RETRY_MS = 3000;

export class RecordTail {
	#topicUrl;
	#list;
	#context;
	#onStop;
	/** @type {EventSource | null} */
	#source = null;
	/** @type {number | undefined} */
	#retryTimer;
	/** Newest first. @type {KafkaRecord[]} */
	#records = [];
	#came = 0;
	#leftOut = 0;
	/** Records that came since the pause, and their number. @type {{ records: KafkaRecord[], count: number } | null} */
	#pause = null;
	#pauseButton = actionButton("", () => this.#togglePause(), "button small");
	#light = h("span", { class: "dot" });

	/**
	 * @param {string} topicUrl
	 * @param {ReturnType<typeof createRecordList>} list
	 * @param {KafkaPageContext} context
	 * @param {() => void} onStop
	 */
	constructor(topicUrl, list, context, onStop) {
		this.#topicUrl = topicUrl;
		this.#list = list;
		this.#context = context;
		this.#onStop = onStop;
	}

	isRunning() {
		return this.#source !== null;
	}

	/**
	 * Begins with an empty list.
	 * @param {URLSearchParams} filter
	 */
	start(filter) {
		this.#close();
		this.#records = [];
		this.#came = 0;
		this.#leftOut = 0;
		const url = `${this.#topicUrl}/tail?${filter}`;
		this.#context.showJsonUrl(url);
		this.#list.reset();
		this.#list.showRecords([], "newest first");
		this.#list.showEmpty(
			emptyState(
				"Waiting for records",
				filter.has("contains")
					? "Records with this text appear here as they come."
					: "They appear here as they come.",
			),
		);
		this.#list.setButtons(this.#pauseButton);
		this.#drawStatus();
		const source = new EventSource(url);
		this.#source = source;
		source.onmessage = ({ data }) => this.#receive(JSON.parse(data));
		source.onerror = () => this.#onError(source, filter);
	}

	#close() {
		clearTimeout(this.#retryTimer);
		this.#source?.close();
		this.#source = null;
		this.#pause = null;
	}

	stop() {
		const wasRunning = this.isRunning();
		this.#close();
		if (!wasRunning) return;
		const { status } = this.#list;
		const text = status.textContent ?? "";
		setText(status, text.replace(/^(Following|Paused)/, "Stopped"));
		this.#list.setButtons();
		if (this.#list.isEmpty()) this.#list.showEmpty();
		this.#onStop();
	}

	/** @param {TailMessage} message */
	#receive(message) {
		if (message.errors) {
			this.#list.showWarning(message.errors.join(" "));
			return;
		}
		const { records, looked_at, left_out, trouble } = message;
		this.#context.clearFault();
		this.#came += looked_at;
		this.#leftOut += left_out;
		if (trouble) this.#list.showWarning(trouble);
		if (this.#pause) {
			const kept = this.#pause.records.concat(records);
			this.#pause.records = kept.slice(-MAX_RECORDS);
			this.#pause.count += records.length + left_out;
		} else this.#addRecords(records);
		this.#drawStatus();
	}

	/** @param {KafkaRecord[]} records oldest first */
	#addRecords(records) {
		if (records.length === 0) return;
		const all = records.toReversed().concat(this.#records);
		this.#records = all.slice(0, MAX_RECORDS);
		this.#list.showEmpty();
		this.#list.showRecords(this.#records, "newest first");
	}

	#togglePause() {
		const kept = this.#pause;
		this.#pause = kept ? null : { records: [], count: 0 };
		if (kept) this.#addRecords(kept.records);
		this.#drawStatus();
	}

	#drawStatus() {
		const pause = this.#pause;
		setText(this.#pauseButton, pause ? "Continue" : "Pause");
		this.#light.classList.toggle("beating", !pause);
		const text = [
			`${pause ? "Paused" : "Following"}: ${formatExact(this.#came)} came`,
			pause && `${formatCount(pause.count)} since the pause`,
			this.#leftOut && `${formatCount(this.#leftOut)} too many to show`,
			"newest first",
		];
		this.#list.status.replaceChildren(
			h(
				"span",
				{ class: `state level-${pause ? "soon" : "well"}` },
				this.#light,
				text.filter(Boolean).join(", "),
			),
		);
	}

	/**
	 * Asks for JSON to learn the reason: an event source does not tell it.
	 * @param {EventSource} source
	 * @param {URLSearchParams} filter
	 */
	async #onError(source, filter) {
		const isClosed = () =>
			this.#source === source && source.readyState === EventSource.CLOSED;
		if (this.#source !== source) return;
		try {
			await fetchJson(this.#topicUrl);
			if (!isClosed()) return;
			this.stop();
			this.#list.showWarning(
				"Following was refused: too many pages follow at once. Close another page that does, and try again.",
			);
		} catch (fault) {
			if (this.#source !== source || this.#context.reportFault(fault)) return;
			if (!isClosed()) return;
			clearTimeout(this.#retryTimer);
			this.#retryTimer = setTimeout(() => this.start(filter), RETRY_MS);
		}
	}
}
