// The banners at the top: a lost connection, and what needs attention.

import { h, keyedList, setText } from "/assets/shared/dom.js";
import { formatTime } from "/assets/shared/format.js";
import { elementById } from "/assets/shared/frame.js";
import { actionButton, icon } from "/assets/shared/widgets.js";

/** @import { ChipLevel } from "/types/components.js" */
/** @import { Attention } from "/types/job-api.js" */

/**
 * @typedef {object} Banner
 * @property {string} id the text without its numbers, which move
 * @property {ChipLevel} level
 * @property {string} what
 * @property {string} todo
 * @property {"retry" | "problems"} [action]
 */

const MAX_BANNERS = 3;
/** Read out before a banner. @type {Record<string, string>} */
const LEVEL_WORDS = { act: "Act: ", soon: "Look soon: " };

/**
 * @param {number} since
 * @param {number} retryAt
 * @returns {Banner}
 */
function connectionBanner(since, retryAt) {
	const wait = Math.round((retryAt - Date.now()) / 1000);
	return {
		id: "connection",
		level: "act",
		what: `No connection since ${formatTime(since)}. The values below are from then.`,
		todo: wait > 1 ? `Trying again in ${wait} s.` : "Trying again …",
		action: "retry",
	};
}

/**
 * @param {Attention[]} attention
 * @returns {Banner[]}
 */
function attentionBanners(attention) {
	const more = attention.length - MAX_BANNERS;
	/** @type {Banner[]} */
	const banners = attention
		.slice(0, MAX_BANNERS)
		.map((item) => ({ id: item.what.replace(/\d+/g, "#"), ...item }));
	if (more > 0)
		banners.push({
			id: "more",
			level: "plain",
			what: `And ${more} more`,
			todo: "",
			action: "problems",
		});
	return banners;
}

/**
 * @param {Banner} banner
 * @param {() => void} retry
 */
function createBanner({ level, action }, retry) {
	const what = h("strong");
	const todo = h("span", { class: "todo" });
	const actions = {
		retry: () => actionButton("Try now", retry, "button small"),
		problems: () =>
			h("a", { href: "/problems", "data-page": true, text: "All problems" }),
	};
	return {
		element: h(
			"div",
			{ class: `banner level-${level}` },
			icon(action === "retry" ? "unreachable" : level),
			h(
				"p",
				null,
				h("span", {
					class: "visually-hidden",
					text: LEVEL_WORDS[level] ?? "",
				}),
				what,
				" ",
				todo,
			),
			h("span", { class: "end" }, action ? actions[action]() : null),
		),
		/** @param {Banner} banner */
		update(banner) {
			setText(what, banner.what);
			setText(todo, banner.todo);
		},
	};
}

/**
 * Creates the banners.
 * @param {() => void} retry connects again
 */
export function createBanners(retry) {
	/** @type {Attention[]} */
	let attention = [];
	/** @type {{ since: number, retryAt: number } | null} */
	let loss = null;
	let announced = "";
	/** @param {Banner} banner */
	const keyOf = ({ level, id }) => `${level} ${id}`;
	const list = keyedList(elementById("banners"), keyOf, (banner) =>
		createBanner(banner, retry),
	);

	function draw() {
		const banners = [
			...(loss ? [connectionBanner(loss.since, loss.retryAt)] : []),
			...attentionBanners(attention),
		];
		list.update(banners);
		// Screen readers read a banner out once, not whenever its seconds move.
		const keys = banners.map(keyOf).join("\n");
		if (keys !== announced)
			setText(
				elementById("announcement"),
				banners.map(({ what, todo }) => `${what} ${todo}`).join(" "),
			);
		announced = keys;
	}

	setInterval(() => {
		if (loss) draw();
	}, 1000);

	return {
		/** @param {Attention[]} items */
		setAttention(items) {
			attention = items;
			draw();
		},
		/**
		 * @param {"live" | "lost" | "paused"} state
		 * @param {number} [retryAt]
		 */
		setConnection(state, retryAt = Date.now()) {
			const lost = state === "lost";
			if (!lost && !loss) return;
			loss = lost ? { since: loss?.since ?? Date.now(), retryAt } : null;
			document.documentElement.classList.toggle("lost", lost);
			draw();
		},
	};
}
