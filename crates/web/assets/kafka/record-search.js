// Reads a page of records. A search for a text runs in slices of a second, with its progress shown.

import { h, setText } from "/assets/shared/dom.js";
import {
	fetchJson,
	isAbort,
	messageOf,
	statusOf,
} from "/assets/shared/fetch.js";
import { formatCount, formatExact, plural } from "/assets/shared/format.js";
import { actionButton, emptyState } from "/assets/shared/widgets.js";

/** @import { KafkaPageContext } from "/types/components.js" */
/** @import { KafkaRecord, RecordPage } from "/types/kafka-api.js" */
/** @import { createRecordList, Edges } from "./record-list.js" */

/**
 * @typedef {object} Progress
 * @property {boolean} searching for a text
 * @property {KafkaRecord[]} records
 * @property {number} lookedAt
 * @property {RecordPage | null} first
 * @property {RecordPage | null} last
 */

const SLICE_MS = 1000;
const RETRY_MS = 3000;

/**
 * Returns where all slices together end.
 * @param {RecordPage} first
 * @param {RecordPage} last
 * @returns {Edges}
 */
function edgesOf(first, last) {
	const [oldest, newest] = last.going_back ? [last, first] : [first, last];
	return {
		older: oldest.older,
		hasOlder: oldest.has_older,
		newer: newest.newer,
		hasNewer: newest.has_newer,
	};
}

/**
 * Creates what stands in the place of records.
 * @param {boolean} searching
 * @param {Edges} edges
 */
function noRecords(searching, { hasOlder, hasNewer }) {
	if (searching)
		return emptyState(
			"Nothing found",
			hasOlder || hasNewer
				? "None of the records read has this text. The buttons above continue the search."
				: "No record has this text. Upper and lower case count; JSON may write a sign as \\u….",
		);
	if (hasOlder)
		return emptyState(
			"No records from there on",
			"The button Older leads to older records, Follow live to new ones.",
		);
	if (hasNewer)
		return emptyState(
			"No records before that",
			"The button Newer leads to newer records.",
		);
	return emptyState(
		"No records",
		"This topic has no records, or all are deleted by age. Send one, or some events:",
		h("p", null, h("code", { text: "windrow generate --to kafka --rate 20" })),
	);
}

/** @param {RecordPage} page */
const orderOf = (page) => (page.going_back ? "newest first" : "oldest first");

export class RecordSearch {
	#topicUrl;
	#list;
	#context;
	/** @type {AbortController | null} */
	#request = null;
	/** @type {number | undefined} */
	#retryTimer;
	/** Where the shown records end. @type {Edges | null} */
	edges = null;

	/**
	 * @param {string} topicUrl
	 * @param {ReturnType<typeof createRecordList>} list
	 * @param {KafkaPageContext} context
	 */
	constructor(topicUrl, list, context) {
		this.#topicUrl = topicUrl;
		this.#list = list;
		this.#context = context;
	}

	/** Ends a running request without a trace. */
	cancel() {
		clearTimeout(this.#retryTimer);
		const request = this.#request;
		this.#request = null;
		request?.abort();
	}

	/**
	 * Shows the records of a query.
	 * @param {URLSearchParams} query
	 */
	async load(query) {
		this.cancel();
		const request = new AbortController();
		this.#request = request;
		/** @type {Progress} */
		const progress = {
			searching: query.has("contains"),
			records: [],
			lookedAt: 0,
			first: null,
			last: null,
		};
		this.#context.showJsonUrl(`${this.#topicUrl}/messages?${query}`);
		this.#list.reset();
		setText(
			this.#list.status,
			progress.searching ? "Searching …" : "Reading …",
		);
		const stop = () => request.abort();
		this.#list.setButtons(actionButton("Stop", stop, "button small"));
		try {
			await this.#readSlices(query, progress, request.signal);
			this.#finish(progress, "");
		} catch (fault) {
			if (this.#request !== request) return;
			if (isAbort(fault)) this.#finish(progress, ", stopped");
			else this.#fail(fault, query);
		}
	}

	/**
	 * Requests slices until the page is full, or the topic is searched to its end.
	 * @param {URLSearchParams} query
	 * @param {Progress} progress
	 * @param {AbortSignal} signal
	 */
	async #readSlices(query, progress, signal) {
		const wanted = Number(query.get("limit"));
		const slice = new URLSearchParams(query);
		if (progress.searching) slice.set("timeout_ms", String(SLICE_MS));
		for (;;) {
			slice.set("limit", String(wanted - progress.records.length));
			/** @type {RecordPage} */
			const page = await fetchJson(`${this.#topicUrl}/messages?${slice}`, {
				signal,
			});
			this.#context.clearFault();
			this.#addPage(progress, page);
			if (
				!progress.searching ||
				page.ended !== "time" ||
				progress.records.length >= wanted
			)
				return;
			for (const start of ["from", "before", "after"]) slice.delete(start);
			if (page.going_back) slice.set("before", page.older);
			else slice.set("after", page.newer);
		}
	}

	/**
	 * @param {Progress} progress
	 * @param {RecordPage} page
	 */
	#addPage(progress, page) {
		progress.first ??= page;
		progress.last = page;
		progress.records = progress.records.concat(page.records);
		progress.lookedAt += page.looked_at;
		this.#list.showRecords(progress.records, orderOf(page));
		if (!progress.searching) return;
		const total = progress.lookedAt + page.left;
		setText(
			this.#list.status,
			`Looked at ${formatCount(progress.lookedAt)} of ${formatCount(total)} records, ${plural(progress.records.length, "hit")}`,
		);
		this.#list.setProgress(total > 0 ? progress.lookedAt / total : 1);
	}

	/**
	 * @param {Progress} progress
	 * @param {string} how
	 */
	#finish({ searching, records, lookedAt, first, last }, how) {
		const list = this.#list;
		this.#request = null;
		list.setProgress(null);
		list.setButtons();
		if (!first || !last) {
			setText(list.status, how ? "Stopped." : "");
			return;
		}
		this.edges = edgesOf(first, last);
		const looked = searching ? `, ${formatExact(lookedAt)} looked at` : "";
		const end = how || (last.ended === "time" ? ", time was up" : "");
		setText(
			list.status,
			`${plural(records.length, "record")}${looked}${end}, ${orderOf(last)}`,
		);
		list.showMoveButtons(this.edges);
		if (last.trouble) list.showWarning(last.trouble);
		else if (records.length === 0)
			list.showEmpty(noRecords(searching, this.edges));
	}

	/**
	 * @param {unknown} fault
	 * @param {URLSearchParams} query
	 */
	#fail(fault, query) {
		if (this.#context.reportFault(fault)) return;
		setText(this.#list.status, "");
		this.#list.setProgress(null);
		this.#list.setButtons();
		if (statusOf(fault) === 400) this.#list.showWarning(messageOf(fault));
		else this.#retryTimer = setTimeout(() => this.load(query), RETRY_MS);
	}
}
