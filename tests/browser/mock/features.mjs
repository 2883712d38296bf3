// What Redis holds for a user, and rows as they are written.

import { lateEvent } from "./problems.mjs";
import { HOSTILE, noise, UNKNOWN_USER } from "./state.mjs";

/** @import { CurrentRow, Features, FeatureView, RecentRow, RowField, WrittenRow, WrittenRows } from "/types/job-api.js" */
/** @import { MockState } from "./state.mjs" */

const HOUR_MS = 3_600_000;
const SESSION_GAP_MS = 600_000;
/** Sessions begin this long ago, and lie more than a gap apart. */
const SESSIONS = [
	{ ageMs: 3_400_000, seconds: 640 },
	{ ageMs: 2_100_000, seconds: 310 },
	{ ageMs: 1_100_000, seconds: 255 },
];

/**
 * Returns how often the user's row changes: quickly while a test watches, as in a real job in a picture.
 * @param {MockState} state
 */
const changeMs = (state) => (state.frozenAtMs === null ? 5000 : 600_000);

/**
 * Returns the sum over the six panes of a window.
 * @param {number} n the newest pane
 * @param {number} most the largest number of events in a pane
 */
const paneSum = (n, most) =>
	Array.from({ length: 6 }, (_, i) =>
		Math.floor((most + 1) * noise(n - i)),
	).reduce((sum, count) => sum + count, 0);

/**
 * @param {string} user
 * @param {number} n
 * @returns {RowField[]}
 */
const userFields = (user, n) => [
	["user_id", user],
	["view_count_1h", String(paneSum(n, 5))],
	["cart_count_1h", String(paneSum(n + 1, 1))],
	["purchase_count_1h", String(Math.floor(paneSum(n + 2, 1) / 2))],
	["avg_viewed_price_1h", String(39.9 + paneSum(n + 3, 99) / 16)],
];

/**
 * @param {MockState} state
 * @param {string} user
 * @returns {CurrentRow}
 */
function userRow(state, user) {
	const age = state.now % changeMs(state);
	/** @type {RowField[]} */
	const hostile = HOSTILE.map((value, i) => [`${value}${i}`, value]);
	return {
		redis_key: `user_features:${user}`,
		window_start_ms: null,
		window_end_ms: null,
		fields: [
			...userFields(user, Math.floor(state.now / changeMs(state))),
			...(state.is("hostile") ? hostile : []),
		],
		age_ms: age,
		ttl_left_ms: 2 * HOUR_MS - age,
		other_type: null,
	};
}

/**
 * @param {MockState} state
 * @param {string} user
 * @returns {RecentRow[]}
 */
const recentRows = (state, user) =>
	Array.from({ length: 14 }, (_, i) => {
		const change = Math.floor(state.now / changeMs(state)) - 14 + i;
		return {
			at_ms: change * changeMs(state),
			redis_key: `user_features:${user}`,
			fields: userFields(user, change),
		};
	});

/**
 * @param {MockState} state
 * @param {string} user
 * @returns {CurrentRow[]}
 */
const sessionRows = (state, user) =>
	SESSIONS.map(({ ageMs, seconds }) => {
		const start = Math.floor((state.now - ageMs) / 1000) * 1000;
		const age = state.now - start - seconds * 1000 - SESSION_GAP_MS;
		return {
			redis_key: `session_features:${user}:${start}`,
			window_start_ms: start,
			window_end_ms: null,
			fields: [
				["user_id", user],
				["event_count", String(Math.floor(seconds / 40))],
				["duration_seconds", String(seconds)],
			],
			age_ms: Math.max(0, age),
			ttl_left_ms: Math.max(0, HOUR_MS - age),
			other_type: null,
		};
	});

/**
 * @param {MockState} state
 * @param {string | null} user null: no user has rows
 * @returns {FeatureView}
 */
const userView = (state, user) => ({
	name: state.text(0, "user_features"),
	window: "sliding 1 h every 10 min",
	session: false,
	rows: state.unlessEmpty(26_000_000, 0),
	rows_per_s: state.unlessEmpty(3000, 0),
	late_events: state.unlessEmpty(11, 0),
	late_after_idle: state.unlessEmpty(2, 0),
	entities: state.unlessEmpty(182_340, 0),
	ttl_ms: 2 * HOUR_MS,
	incomplete: state.is("busy")
		? [
				{
					feature: "purchase_count_1h",
					complete_from_ms: state.now - 20 * 60_000,
				},
			]
		: [],
	current: user ? [userRow(state, user)] : [],
	recent: user ? recentRows(state, user) : [],
});

/**
 * @param {MockState} state
 * @param {string | null} user null: no user has rows
 * @returns {FeatureView}
 */
const sessionView = (state, user) => ({
	name: "session_features",
	window: "session, gap 10 min",
	session: true,
	rows: state.unlessEmpty(2_190_441, 0),
	rows_per_s: state.unlessEmpty(140, 0),
	late_events: state.unlessEmpty(3, 0),
	late_after_idle: 0,
	entities: state.unlessEmpty(9412, 0),
	ttl_ms: HOUR_MS,
	incomplete: [],
	current: user && !state.is("busy") ? sessionRows(state, user) : [],
	recent: [],
});

/**
 * @param {MockState} state
 * @param {string | null} user
 * @returns {Features}
 */
export function features(state, user) {
	const known = state.is("empty") || user === UNKNOWN_USER ? null : user;
	const broken = state.is("broken");
	return {
		now_ms: state.now,
		user,
		key_field: "user_id",
		redis: {
			away_since_ms: broken ? state.now - 74_000 : null,
			reason: broken ? "Connection refused (os error 111)" : null,
		},
		search: {
			done: !state.is("busy"),
			failure: state.is("hostile")
				? "Redis at localhost:6379 (sink.redis.url): NoPerm: User default has no permissions to run the 'scan' command"
				: null,
		},
		feature_views: [userView(state, known), sessionView(state, known)],
		late_events: known === "111" ? [lateEvent(state, 0, known)] : [],
		dead_letters: [],
	};
}

/**
 * @param {MockState} state
 * @param {number} n
 * @returns {WrittenRow}
 */
function writtenRow(state, n) {
	const user = state.text(n, `u-${Math.floor(90_000 * noise(n))}`);
	const session = n % 4 === 0;
	return {
		at_ms: n * 700,
		feature_view: session ? "session_features" : "user_features",
		redis_key: session
			? `session_features:${user}:${n}`
			: `user_features:${user}`,
		fields: session
			? [
					["user_id", user],
					["event_count", String(2 + (n % 9))],
					["duration_seconds", String(31 + (n % 400))],
				]
			: userFields(user, n),
		ttl_ms: 2 * HOUR_MS,
	};
}

/**
 * @param {MockState} state
 * @returns {WrittenRows}
 */
export function writtenRows(state) {
	const newest = Math.floor(state.now / 700);
	const rows = Array.from({ length: 24 }, (_, i) =>
		writtenRow(state, newest - i),
	);
	return { now_ms: state.now, rows: state.unlessEmpty(rows, []) };
}
