// Features: what Redis holds for a user, as it changes; without a user, the rows as they are written.

import { h, keyedList, setText } from "/assets/shared/dom.js";
import {
	formatDuration,
	formatSetting,
	formatTime,
	isNumber,
	shorten,
	toSentence,
} from "/assets/shared/format.js";
import {
	icon,
	notice,
	runOrShowFault,
	sectionHead,
} from "/assets/shared/widgets.js";
import { createFeatureViewSection } from "./feature-view.js";
import { FieldHistory } from "./field-values.js";
import { createProblemList, deadLetters, lateEvents } from "./problem-kinds.js";
import { RowTicker } from "./row-ticker.js";

/** @import { JobPage, JobPageContext, JobPageParams } from "/types/components.js" */
/** @import { Features, FeatureViewPlan } from "/types/job-api.js" */
/** @import { ViewValues } from "./feature-view.js" */

const MAX_PROBLEMS = 50;

/** @param {JobPageParams} params */
export const title = ({ user }) =>
	user ? `${shorten(user, 40)} · Features` : "Features";

/** @param {JobPageParams} params */
export const jsonUrl = ({ user }) =>
	user ? `/api/features?user=${encodeURIComponent(user)}` : "/api/features";

/**
 * Creates the search for a user.
 * @param {JobPageContext} context
 */
function createUserSearch({ params: { user }, navigate }) {
	const box = h("input", {
		class: "input",
		type: "search",
		name: "user",
		id: "user",
		placeholder: "A user id",
		"aria-label": "User id",
		autocomplete: "off",
		autocapitalize: "off",
		spellcheck: "false",
		enterkeyhint: "search",
	});
	box.value = user;
	box.addEventListener("keydown", ({ key }) => {
		if (key !== "Escape") return;
		if (box.value) box.value = "";
		else box.blur();
	});
	/** @param {SubmitEvent} event */
	function submit(event) {
		event.preventDefault();
		const wanted = box.value.trim() === "" ? "" : box.value;
		if (wanted === user) {
			if (wanted) box.blur();
			return;
		}
		const path = wanted ? `/${encodeURIComponent(wanted)}` : "";
		navigate(`/features${path}`);
	}
	return h(
		"form",
		{ class: "search", role: "search", on: { submit } },
		icon("search"),
		box,
		h("kbd", { text: "/", title: "Press / to search", "aria-hidden": "true" }),
		h("button", { class: "button", type: "submit" }, "Look up"),
	);
}

/** Creates the notice that Redis is unreachable. */
function createRedisNotice() {
	const what = h("strong");
	const element = notice(
		"act",
		h(
			"div",
			null,
			what,
			h("p", {
				class: "muted",
				text: "Rows cannot be read now. Start Redis or correct sink.redis.url. Nothing is lost, and this page continues by itself.",
			}),
		),
	);
	element.hidden = true;
	element.firstChild?.replaceWith(icon("unreachable"));
	return {
		element,
		/** @param {Features} features */
		update({ now_ms: now, redis: { away_since_ms: since, reason } }) {
			element.hidden = !isNumber(since);
			if (!isNumber(since)) return;
			const duration = formatDuration(Math.max(0, now - since));
			const why = reason ? `: ${reason}` : "";
			setText(what, `Redis has been unreachable for ${duration}${why}.`);
		},
	};
}

/**
 * Returns the line about the search through Redis for older rows.
 * @param {string | null} failure
 */
function describeSearch(failure) {
	if (!failure)
		return "Looking through Redis for older rows: slowly, so that writing does not wait.";
	const hint = /no permissions to run/.test(failure)
		? " The user in sink.redis.url needs the right to SCAN."
		: "";
	return `Redis cannot be looked through for older rows: ${toSentence(failure)} Rows written lately are shown.${hint}`;
}

/**
 * Returns when a window of a view closes.
 * @param {FeatureViewPlan} plan
 */
function describeClosing({ name, window: { sliding, session } }) {
	if (sliding)
		return `${name}: at the next multiple of ${formatSetting(sliding.slide_ms)}`;
	return session
		? `${name}: ${formatSetting(session.gap_ms)} after the last event`
		: null;
}

/**
 * Returns why there may be no row for a user.
 * @param {Features} features
 * @param {JobPageContext} context
 */
function reasonsForNoRow({ feature_views }, context) {
	const plan = context.plan();
	const watermark = context.overview()?.totals.watermark_ms;
	const delay = plan
		? `, ${formatSetting(plan.watermark.max_out_of_orderness_ms)} behind the newest event,`
		: "";
	const closings = (plan?.feature_views ?? [])
		.map(describeClosing)
		.filter(Boolean);
	const expiries = feature_views
		.filter(({ ttl_ms }) => ttl_ms)
		.map(({ name, ttl_ms }) => `${name} after ${formatSetting(ttl_ms)}`);
	return [
		[
			`Windows close by event time: a row comes when the watermark${delay} passes the end of a window.`,
			closings.length ? ` ${closings.join("; ")}.` : "",
			isNumber(watermark)
				? ` The watermark is at ${formatTime(watermark)}.`
				: "",
		].join(""),
		expiries.length
			? `Rows expire: ${expiries.join(", ")}.`
			: "The rows of these views do not expire.",
		"Ids are exact: capitals, spaces and leading zeros count.",
	];
}

/**
 * Creates the explanation of why Redis holds no row for the user.
 * @param {JobPageContext} context
 */
function createNoRowNotice(context) {
	const reasons = h("ul");
	const list = keyedList(
		reasons,
		/** @param {string} _reason */
		(_reason, index) => index,
		() => {
			const element = h("li");
			return {
				element,
				/** @param {string} reason */
				update: (reason) => setText(element, reason),
			};
		},
	);
	const element = h(
		"div",
		{ class: "empty", hidden: true },
		h("strong", {
			text: `Redis holds no row for ${shorten(context.params.user, 60)}`,
		}),
		reasons,
		h(
			"p",
			null,
			h("a", {
				href: "/features",
				"data-page": true,
				text: "See rows as they are written",
			}),
		),
	);
	return {
		element,
		/** @param {Features} features */
		update: (features) => list.update(reasonsForNoRow(features, context)),
	};
}

/**
 * Creates the list of the user's late events and dead letters.
 * @param {JobPageContext} context
 */
function createUserProblems(context) {
	const list = createProblemList(context);
	const element = h(
		"section",
		{ class: "section", hidden: true, "aria-label": "Problems of this user" },
		sectionHead(
			"Problems of this user",
			h("span", {
				class: "muted tiny",
				text: "late events and dead letters lately",
			}),
		),
		list.element,
	);
	return {
		element,
		/** @param {Features} features */
		update({ now_ms, late_events, dead_letters }) {
			const problems = [
				...late_events.map(lateEvents.toProblem),
				...dead_letters.map(deadLetters.toProblem),
			]
				.sort((a, b) => b.at_ms - a.at_ms)
				.slice(0, MAX_PROBLEMS);
			element.hidden = problems.length === 0;
			list.update(problems);
			list.updateAges(now_ms);
		},
	};
}

/**
 * Creates the sections of the views.
 * @param {JobPageContext} context
 */
function createViewSections({ params: { user }, plan }) {
	const element = h("div", { class: user ? "views" : "views all" });
	const history = new FieldHistory();
	const sections = keyedList(
		element,
		/** @param {ViewValues} values */
		({ view }) => view.name,
		() => createFeatureViewSection(user, history),
	);
	return {
		element,
		/** @param {Features} features */
		update(features) {
			const plans = plan()?.feature_views ?? [];
			sections.update(
				features.feature_views.map((view) => ({
					view,
					features,
					plan: plans.find(({ name }) => name === view.name),
				})),
			);
		},
	};
}

/** @type {JobPage<Features>["mount"]} */
export function mount(root, context) {
	const { user } = context.params;
	const redis = createRedisNotice();
	const searching = h("p", {
		class: "muted searching",
		role: "status",
		hidden: true,
	});
	const noRow = createNoRowNotice(context);
	const views = createViewSections(context);
	const problems = createUserProblems(context);
	const ticker = user ? null : new RowTicker();
	root.append(
		h("h1", {
			class: "visually-hidden",
			text: user ? `Features of ${user}` : "Features",
		}),
		createUserSearch(context),
		redis.element,
		searching,
		noRow.element,
		views.element,
		problems.element,
		...(ticker ? [ticker.element] : []),
	);

	/** @param {Features} features */
	function updateUser(features) {
		const { done, failure } = features.search;
		const reachable = !isNumber(features.redis.away_since_ms);
		const found = features.feature_views.some(({ current }) => current.length);
		searching.hidden = !reachable || (done && !failure);
		setText(searching, describeSearch(failure));
		noRow.element.hidden = found || !reachable || !done;
		if (!noRow.element.hidden) noRow.update(features);
		views.element.hidden = !found;
		runOrShowFault(problems.element, () => problems.update(features));
	}

	return {
		update(features) {
			redis.update(features);
			if (ticker) ticker.keyField = features.key_field;
			if (user) updateUser(features);
			runOrShowFault(views.element, () => views.update(features));
		},
		close: () => ticker?.close(),
	};
}
