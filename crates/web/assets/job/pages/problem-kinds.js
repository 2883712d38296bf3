// The kinds of problem, and the entry of one problem, which opens to the record and what to do about it.

import { h, keyedList, setText } from "/assets/shared/dom.js";
import {
	formatAge,
	formatDuration,
	formatEventZoneTime,
	formatExact,
	formatExactTime,
	formatSetting,
	formatTime,
	isNumber,
	shorten,
} from "/assets/shared/format.js";
import { factList, icon } from "/assets/shared/widgets.js";
import { recordPanel } from "../records.js";

/** @import { Num } from "/assets/shared/format.js" */
/** @import { Child, JobPageContext } from "/types/components.js" */
/** @import { DeadLetter, Exception, LateEvent, Level, PipelinePlan, RecordBytes } from "/types/job-api.js" */

/**
 * @typedef {object} Problem
 * @property {string} key
 * @property {number} at_ms
 * @property {Level} level
 * @property {string} what
 * @property {string} who the user or key, where there is one
 * @property {string} kind
 * @property {string} place
 * @property {(plan: PipelinePlan | null) => Child[]} details
 */

/**
 * @template Item
 * @typedef {object} ProblemKind
 * @property {string} label
 * @property {string} lead
 * @property {[title: string, text: string]} none what stands in the place of an empty list
 * @property {(item: Item) => Problem} toProblem
 */

const HOUR_MS = 3_600_000;

/** @param {{ partition: number | null, offset: number | null }} item */
const kafkaPlace = ({ partition, offset }) =>
	partition === null
		? null
		: `partition ${partition}, offset ${formatExact(offset)}`;

/** @param {string} user */
const userLink = (user) =>
	h("a", {
		href: `/features/${encodeURIComponent(user)}`,
		"data-page": true,
		text: shorten(user, 60),
		title: user,
	});

/** @param {Child[]} children */
const advice = (...children) => h("p", { class: "todo-line muted" }, children);

/** @param {Num} ms */
const timeElement = (ms) =>
	h("span", { class: "moment", title: formatExactTime(ms) }, formatTime(ms));

/** @param {Num} ms */
const eventTimeElement = (ms) =>
	h(
		"span",
		{ class: "moment", title: formatExactTime(ms) },
		h("span", { text: formatTime(ms) }),
		h("span", {
			class: "muted tiny beside",
			text: formatEventZoneTime(ms) ?? "",
		}),
	);

/**
 * @param {LateEvent} event
 * @param {PipelinePlan | null} plan
 */
function lateEventDetails(event, plan) {
	const delay = plan?.watermark.max_out_of_orderness_ms;
	return [
		factList([
			["user", userLink(event.key)],
			["late for", event.feature_views.join(", ")],
			["event time", eventTimeElement(event.event_time_ms)],
			["watermark then", eventTimeElement(event.watermark_ms)],
			["seen", timeElement(event.at_ms)],
			["in Kafka", kafkaPlace(event)],
			["on", event.host],
		]),
		recordPanel(event.record),
		advice(
			"A few are normal. If there are many, raise ",
			h("code", { text: "watermark.max_out_of_orderness" }),
			isNumber(delay) ? ` (now ${formatSetting(delay)})` : "",
			"; rows then come that much later. Events that are hours late come from a producer's retry or a wrong clock.",
		),
	];
}

/** @type {ProblemKind<LateEvent>} */
export const lateEvents = {
	label: "Late events",
	lead: "Events whose windows had all closed when they came. They change no row.",
	none: ["No late events", "No event came after its windows had closed."],
	toProblem(event) {
		const behind = isNumber(event.watermark_ms)
			? `${formatDuration(event.watermark_ms - event.event_time_ms)} behind the watermark`
			: "late";
		return {
			key: `late ${event.partition} ${event.offset}`,
			at_ms: event.at_ms,
			level: "soon",
			what: `${behind}, for ${event.feature_views.join(", ")}`,
			who: event.key,
			kind: "",
			place: kafkaPlace(event) ?? event.host,
			details: (plan) => lateEventDetails(event, plan),
		};
	},
};

/**
 * @param {RecordBytes | null} key
 * @param {boolean} isUser
 */
function letterKey(key, isUser) {
	if (!key) return "none";
	return isUser && key.utf8 && key.text
		? userLink(key.text)
		: h("code", { text: key.text });
}

/** @param {DeadLetter} letter */
function deadLetterDetails(letter) {
	const isRow = letter.kind === "row";
	return [
		factList([
			["reason", letter.reason],
			[isRow ? "key in Redis" : "record key", letterKey(letter.key, !isRow)],
			["seen", timeElement(letter.at_ms)],
			["in Kafka", kafkaPlace(letter)],
			["on", letter.host],
		]),
		isRow ? null : recordPanel(letter.record),
		isRow
			? advice(
					"Another program uses this key in Redis: delete it there, or change the view's ",
					h("code", { text: "key" }),
					". Windrow then writes the next row for it again.",
				)
			: advice(
					"Correct the producer and send the event again: Windrow does not read this record a second time. The fields an event must have are on ",
					h("a", { href: "/pipeline", "data-page": true, text: "Pipeline" }),
					".",
				),
	];
}

/** @type {ProblemKind<DeadLetter>} */
export const deadLetters = {
	label: "Dead letters",
	lead: "Records that were no events, and rows that Redis refused. The job skipped them and went on.",
	none: [
		"No dead letters",
		"Every record was an event, and Redis took every row.",
	],
	toProblem: (letter) => ({
		key: `dead ${letter.kind} ${letter.partition} ${letter.offset} ${letter.at_ms} ${letter.key?.text ?? ""}`,
		at_ms: letter.at_ms,
		level: "soon",
		what: letter.reason,
		who: letter.key?.text ?? "",
		kind: letter.kind === "row" ? "refused row" : "",
		place: kafkaPlace(letter) ?? letter.host,
		details: () => deadLetterDetails(letter),
	}),
};

/** @param {Exception} exception */
function exceptionDetails({ level, target, at_ms, host, message }) {
	return [
		factList([
			["level", level],
			["part", h("code", { text: target })],
			["at", timeElement(at_ms)],
			["on", host],
		]),
		h("pre", {
			class: "code wrap",
			tabindex: "0",
			"aria-label": "Message",
			text: message,
		}),
		advice(
			level === "error"
				? "An error stops a part of the job: the banner at the top and the Partitions page show which."
				: "The job recovers from a warning by itself. If it repeats, follow what it says.",
		),
	];
}

/** @type {ProblemKind<Exception>} */
export const exceptions = {
	label: "Log",
	lead: "Warnings and errors of the log, from every instance.",
	none: ["Nothing in the log", "No warnings and no errors since the start."],
	toProblem: (exception) => ({
		key: `log ${exception.at_ms} ${exception.target} ${exception.message}`,
		at_ms: exception.at_ms,
		level: exception.level === "error" ? "act" : "soon",
		what: exception.message,
		who: "",
		kind: exception.level === "error" ? "error" : "warning",
		place: exception.host,
		details: () => exceptionDetails(exception),
	}),
};

/**
 * Creates the entry of a problem. Its details exist only while it is open.
 * @param {Problem} problem
 * @param {JobPageContext} context
 */
function createProblemEntry(problem, context) {
	const { level, what, who, kind, place } = problem;
	const at = h("time", {
		class: "muted entry-at",
		title: formatExactTime(problem.at_ms),
	});
	const element = h(
		"details",
		{ class: "entry" },
		h(
			"summary",
			null,
			h("span", { class: `chip entry-icon level-${level}` }, icon(level)),
			at,
			h("span", { class: "entry-what", text: what }),
			h("span", {
				class: "entry-who mono muted",
				text: shorten(who, 28),
				title: who || null,
			}),
			h("span", { class: "muted tiny entry-about", text: kind }),
			h("span", { class: "muted tiny entry-where", text: place }),
		),
	);
	element.addEventListener("toggle", () => {
		const body = element.querySelector(".entry-body");
		if (!element.open) body?.remove();
		else if (!body) {
			const details = problem.details(context.plan());
			element.append(h("div", { class: "entry-body stack" }, details));
		}
	});
	return {
		element,
		/** @param {number} now */
		updateAge(now) {
			const age = now - problem.at_ms;
			const text =
				age < HOUR_MS ? formatAge(Math.max(0, age)) : formatTime(problem.at_ms);
			setText(at, text);
		},
	};
}

/**
 * Creates a list of problems.
 * @param {JobPageContext} context
 */
export function createProblemList(context) {
	const element = h("div", { class: "entries" });
	const list = keyedList(
		element,
		/** @param {Problem} problem */
		({ key }) => key,
		(problem) => createProblemEntry(problem, context),
	);
	return {
		element,
		update: list.update,
		/** @param {number} now */
		updateAges(now) {
			for (const entry of list.components()) entry.updateAge(now);
		},
	};
}
