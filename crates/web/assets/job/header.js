// The header: the job's name and state, and its instances.

import {
	h,
	keyedList,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	formatDuration,
	formatExactTime,
	plural,
} from "/assets/shared/format.js";
import { elementById } from "/assets/shared/frame.js";

/** @import { ChipLevel } from "/types/components.js" */
/** @import { InstanceSummary, JobSummary, Overview } from "/types/job-api.js" */

/** An instance that has not reported for so long is shown with the age of its report. */
const REPORT_OLD_MS = 15_000;

/** @type {Record<JobSummary["state"], ChipLevel>} */
const STATE_LEVELS = {
	running: "well",
	starting: "plain",
	stopping: "soon",
	degraded: "act",
};

/** Creates the entry of an instance. */
function createInstance() {
	const host = h("strong");
	const here = h("span", { class: "tag", text: "this one" });
	const work = h("div", { class: "muted tiny" });
	const place = h("div", { class: "muted tiny" });
	const element = h(
		"div",
		{ class: "instance" },
		h("div", null, host, here),
		work,
		place,
	);
	return {
		element,
		/** @param {{ instance: InstanceSummary, now: number }} values */
		update({ instance, now }) {
			const { state, pid, listen, version, reported_at_ms: at } = instance;
			const partitions = plural(instance.partitions, "partition");
			const workers = plural(instance.workers, "worker");
			const uptime = formatDuration(now - instance.started_at_ms);
			const pages = listen ? `pages on ${listen}` : "no pages";
			const age =
				now - at > REPORT_OLD_MS
					? `, last report ${formatDuration(now - at)} ago`
					: "";
			setText(host, instance.host || "unnamed host");
			here.hidden = !instance.here;
			setText(work, `${state}, ${partitions}, ${workers}, up ${uptime}`);
			setText(place, `pid ${pid}, ${pages}${age}`);
			setAttr(
				element,
				"title",
				`instance ${instance.instance}\nWindrow ${version}\nreported at ${formatExactTime(at)}`,
			);
		},
	};
}

/**
 * Fills the menu of instances, which closes on a click elsewhere and on Escape.
 */
function createInstanceMenu() {
	const menu = elementById("instances");
	const [summary, box] = menu.children;
	const count = h("span", { class: "instances-count" });
	const word = h("span", { class: "instances-word" });
	summary.append(count, word);
	const list = keyedList(
		box,
		/** @param {{ instance: InstanceSummary, now: number }} values */
		({ instance }) => instance.instance,
		createInstance,
	);
	document.addEventListener("click", ({ target }) => {
		if (!menu.contains(/** @type {Node | null} */ (target)))
			menu.removeAttribute("open");
	});
	document.addEventListener("keydown", ({ key }) => {
		if (key !== "Escape" || !menu.hasAttribute("open")) return;
		menu.removeAttribute("open");
		if (summary instanceof HTMLElement) summary.focus();
	});
	return {
		/** @param {Overview} overview */
		update({ instances, now_ms: now }) {
			const { length } = instances;
			setText(count, length);
			setText(word, length === 1 ? "\u00a0instance" : "\u00a0instances");
			setAttr(summary, "aria-label", plural(length, "instance"));
			list.update(instances.map((instance) => ({ instance, now })));
		},
	};
}

/** Fills the header's elements. */
export function createHeader() {
	const name = elementById("job-name");
	const state = elementById("job-state");
	const [, stateWord, stateSince] = state.children;
	const menu = createInstanceMenu();
	return {
		/** @param {Overview} overview */
		update(overview) {
			const { job, now_ms: now } = overview;
			setText(name, job.name);
			setAttr(
				name,
				"title",
				`job ${job.id}\ntopic ${job.topic}\ngroup ${job.group}`,
			);
			setLevel(state, STATE_LEVELS[job.state] ?? "plain");
			setText(stateWord, job.state);
			const uptime = Math.max(0, now - job.started_at_ms);
			setText(stateSince, formatDuration(uptime));
			setAttr(state, "title", `started\n${formatExactTime(job.started_at_ms)}`);
			setText(elementById("version"), `Windrow ${job.version}`);
			menu.update(overview);
		},
	};
}
