// Problems: late events, dead letters, and warnings of the log; each with the record itself and what to do.

import { h, keyedList, setAttr, setText } from "/assets/shared/dom.js";
import { formatCount, formatExact } from "/assets/shared/format.js";
import {
	actionButton,
	emptyState,
	notice,
	runOrShowFault,
} from "/assets/shared/widgets.js";
import {
	createProblemList,
	deadLetters,
	exceptions,
	lateEvents,
} from "./problem-kinds.js";

/** @import { JobPage, JobPageContext } from "/types/components.js" */
/** @import { Attention, Problems } from "/types/job-api.js" */
/** @import { Problem } from "./problem-kinds.js" */

export const title = () => "Problems";
export const jsonUrl = () => "/api/problems";

const MAX_PROBLEMS = 200;
/** The banners at the top of every page show this many. */
const MAX_BANNERS = 3;

const KINDS = {
	late_events: lateEvents,
	dead_letters: deadLetters,
	exceptions,
};
/** @typedef {keyof typeof KINDS} KindName */
const NAMES = /** @type {KindName[]} */ (Object.keys(KINDS));

/**
 * Returns the problems of each kind.
 * @param {Problems} data
 * @returns {Record<KindName, Problem[]>}
 */
const problemsByKind = ({ late_events, dead_letters, exceptions: log }) => ({
	late_events: late_events.slice(0, MAX_PROBLEMS).map(lateEvents.toProblem),
	dead_letters: dead_letters.slice(0, MAX_PROBLEMS).map(deadLetters.toProblem),
	exceptions: log.slice(0, MAX_PROBLEMS).map(exceptions.toProblem),
});

/** Creates the list of all notices, for a job that has more than the banners show. */
function createAttentionList() {
	const element = h("ul", { class: "attention" });
	const list = keyedList(
		element,
		/** @param {Attention} attention */
		({ level, what }) => `${level} ${what.replace(/\d+/g, "#")}`,
		({ level }) => {
			const what = h("strong");
			const todo = h("p", { class: "muted" });
			return {
				element: h("li", null, notice(level, h("div", null, what, todo))),
				/** @param {Attention} attention */
				update(attention) {
					setText(what, attention.what);
					setText(todo, attention.todo);
				},
			};
		},
	);
	return {
		element,
		/** @param {Attention[]} all */
		update: (all) => list.update(all.length > MAX_BANNERS ? all : []),
	};
}

/**
 * Creates the tab of a kind and its panel.
 * @param {KindName} name
 * @param {JobPageContext} context
 * @param {() => void} select
 */
function createKindTab(name, context, select) {
	const { label, lead, none } = KINDS[name];
	const count = h("span", { class: "count" });
	const list = createProblemList(context);
	const nothing = emptyState(...none);
	/** @type {Set<string>} */
	let keys = new Set();
	const tab = h(
		"button",
		{
			type: "button",
			role: "tab",
			id: `tab-${name}`,
			"aria-controls": `panel-${name}`,
			on: { click: select },
		},
		label,
		count,
	);
	const panel = h(
		"section",
		{
			role: "tabpanel",
			id: `panel-${name}`,
			"aria-labelledby": `tab-${name}`,
			tabindex: "0",
		},
		h("p", { class: "lead tab-lead", text: lead }),
		list.element,
		nothing,
	);
	return {
		name,
		tab,
		panel,
		/**
		 * @param {string} text
		 * @param {string | null} countTitle
		 */
		setCount(text, countTitle) {
			setText(count, text);
			setAttr(count, "title", countTitle);
		},
		/** @param {boolean} selected */
		setSelected(selected) {
			setAttr(tab, "aria-selected", String(selected));
			setAttr(tab, "tabindex", selected ? "0" : "-1");
			panel.hidden = !selected;
		},
		/** @param {Problem[]} problems */
		countNew: (problems) => problems.filter(({ key }) => !keys.has(key)).length,
		/** @param {Problem[]} problems */
		show(problems) {
			list.update(problems);
			keys = new Set(problems.map(({ key }) => key));
			nothing.hidden = problems.length > 0;
		},
		updateAges: list.updateAges,
	};
}

/**
 * Creates the tabs of all kinds. The address names the selected one after `#`.
 * @param {JobPageContext} context
 */
function createTabs(context) {
	/** @type {KindName | undefined} */
	let selected = NAMES.find((name) => `#${name}` === location.hash);
	const tabs = NAMES.map((name) =>
		createKindTab(name, context, () => selectByHand(name)),
	);
	/** @param {KindName} name */
	function select(name) {
		selected = name;
		for (const tab of tabs) tab.setSelected(tab.name === name);
	}
	/** @param {KindName} name */
	function selectByHand(name) {
		select(name);
		history.replaceState(null, "", `${location.pathname}#${name}`);
	}
	/** @param {KeyboardEvent} event */
	function onKey(event) {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (!step || !selected) return;
		event.preventDefault();
		const index = NAMES.indexOf(selected) + step + NAMES.length;
		const next = tabs[index % NAMES.length];
		selectByHand(next.name);
		next.tab.focus();
	}
	if (selected) select(selected);
	return {
		tabs,
		strip: h(
			"div",
			{
				class: "tabs",
				role: "tablist",
				"aria-label": "Kinds of problem",
				on: { keydown: onKey },
			},
			tabs.map(({ tab }) => tab),
		),
		/**
		 * Selects the kind of the newest problem, unless one is selected.
		 * @param {Record<KindName, Problem[]>} problems
		 */
		selectNewest(problems) {
			/** @param {KindName} name */
			const newestAt = (name) => problems[name][0]?.at_ms ?? 0;
			if (!selected)
				select(NAMES.reduce((a, b) => (newestAt(b) > newestAt(a) ? b : a)));
		},
	};
}

/**
 * Shows how many problems of each kind there were.
 * @param {ReturnType<typeof createTabs>["tabs"]} tabs
 * @param {Problems} data
 */
function updateCounts(tabs, { counts, exceptions: log }) {
	const { late_events: late, dead_letters: dead, refused_rows: rows } = counts;
	const texts = {
		late_events: [
			formatCount(late),
			formatExact(late, "since the start; the newest are kept"),
		],
		dead_letters: [
			formatCount(dead + rows),
			`${formatExact(dead)} records and ${formatExact(rows)} rows since the start; the newest are kept`,
		],
		exceptions: [formatCount(log.length), null],
	};
	for (const tab of tabs) {
		const [text, countTitle] = texts[tab.name];
		tab.setCount(text ?? "", countTitle);
	}
}

/** @type {JobPage<Problems>["mount"]} */
export function mount(root, context) {
	const { tabs, strip, selectNewest } = createTabs(context);
	const attention = createAttentionList();
	/** The newest problems. @type {Record<KindName, Problem[]>} */
	let newest = { late_events: [], dead_letters: [], exceptions: [] };
	let nowMs = 0;
	const showNew = actionButton("", showNewest, "button small held");
	showNew.hidden = true;
	root.append(
		h("h1", { text: "Problems" }),
		attention.element,
		h(
			"div",
			{ class: "section tight" },
			strip,
			showNew,
			tabs.map(({ panel }) => panel),
		),
	);

	function showNewest() {
		showNew.hidden = true;
		for (const tab of tabs)
			runOrShowFault(tab.panel, () => {
				tab.show(newest[tab.name]);
				tab.updateAges(nowMs);
			});
	}

	/** Offers new problems with a button: an open entry must not move while it is read. */
	function offerNewest() {
		const fresh = tabs.reduce(
			(sum, tab) => sum + tab.countNew(newest[tab.name]),
			0,
		);
		showNew.hidden = fresh === 0;
		setText(showNew, `Show ${formatCount(fresh)} new`);
		for (const tab of tabs) tab.updateAges(nowMs);
	}

	return {
		update(data) {
			newest = problemsByKind(data);
			nowMs = data.now_ms;
			updateCounts(tabs, data);
			selectNewest(newest);
			attention.update(data.attention);
			if (root.querySelector(".entry[open]")) offerNewest();
			else showNewest();
		},
	};
}
