// The records of a topic: a page of them, a search through many, or new ones as they come.

import { h } from "/assets/shared/dom.js";
import { MessageForm } from "../message-form.js";
import { breadcrumbs, topicPath } from "../parts.js";
import { createRecordList } from "../record-list.js";
import { RecordSearch } from "../record-search.js";
import { RecordTail } from "../record-tail.js";
import { createSendDialog } from "../send-dialog.js";

/** @import { KafkaPage, KafkaPageParams } from "/types/components.js" */
/** @import { Topic } from "/types/kafka-api.js" */

// The topic's JSON only tells how many partitions there are; the search asks for the records.
export const refreshMs = 0;

/** @param {KafkaPageParams} params */
export const title = ({ name }) => `${name} messages`;

/** @param {string} topic */
const topicUrl = (topic) => `/api/topics/${encodeURIComponent(topic)}`;

/** @param {KafkaPageParams} params */
export const jsonUrls = ({ name }) => [topicUrl(name)];

/** @type {KafkaPage<[Topic]>["mount"]} */
export function mount(root, context) {
	const { name } = context.params;
	/** @type {number | null} */
	let partitionCount = null;
	const send = createSendDialog(name, () => partitionCount);
	const form = new MessageForm(show, toggleTail);
	const list = createRecordList(name, move);
	const search = new RecordSearch(topicUrl(name), list, context);
	const tail = new RecordTail(topicUrl(name), list, context, () =>
		form.setFollowing(false),
	);
	root.append(
		breadcrumbs(["Topics", "/"], [name, topicPath(name)]),
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: "Messages" }),
			h("div", { class: "page-actions" }, send.button),
		),
		form.element,
		...list.elements,
		send.dialog,
	);

	function show() {
		tail.stop();
		return search.load(form.query());
	}

	/** @param {"before" | "after"} way */
	async function move(way) {
		if (!search.edges) return;
		const { older, newer } = search.edges;
		form.setDirection({ way, positions: way === "before" ? older : newer });
		await show();
		list.scrollIntoView();
	}

	function toggleTail() {
		if (tail.isRunning()) {
			tail.stop();
			return;
		}
		search.cancel();
		search.edges = null;
		tail.start(form.filterQuery());
		form.setFollowing(true);
	}

	form.readAddress();
	show();
	return {
		update({ partitions }) {
			if (partitionCount === partitions) return;
			partitionCount = partitions;
			form.setPartitionCount(partitions);
		},
		close() {
			tail.stop();
			search.cancel();
			send.close();
		},
	};
}
