// Late events, dead letters, and the log.

import { attention } from "./overview.mjs";
import { FIRST_INSTANCE, recordBytes, SECOND_INSTANCE } from "./state.mjs";

/** @import { DeadLetter, Exception, LateEvent, Problems } from "/types/job-api.js" */
/** @import { MockState } from "./state.mjs" */

const USERS = [
	"111",
	"u-20417",
	"9f7c2e",
	"shopper-88231-with-a-rather-long-identifier-0001",
];
const REASONS = [
	"no field event_time",
	"not JSON: expected value at line 1 column 1",
];
const RECORD =
	'{"user_id":"111","event_type":"view","price":19.9,"big":12345678901234567890}';
const BINARY = {
	text: "\ufffd\ufffd\u0000\u0001 binary",
	utf8: false,
	bytes: 4096,
};

/**
 * @param {MockState} state
 * @param {number} i
 * @param {string} [user]
 * @returns {LateEvent}
 */
export function lateEvent(state, i, user) {
	const at = Math.floor(state.now / 10_000) * 10_000 - i * 71_000;
	const key = user ?? state.text(i, USERS[i % 4]);
	const event = {
		user_id: key,
		event_type: i % 2 ? "view" : "cart",
		price: 12.5 + i,
		event_time: new Date(at - 4_000_000).toISOString(),
		n: 1,
	};
	return {
		...FIRST_INSTANCE,
		at_ms: at,
		feature_views:
			i % 3 ? ["user_features"] : ["user_features", "session_features"],
		key,
		event_time_ms: at - 4_000_000 - i * 1000,
		watermark_ms: at - 10_400,
		partition: i % 4,
		offset: 128_400_211 + i,
		record: recordBytes(JSON.stringify(event)),
	};
}

/**
 * @param {MockState} state
 * @param {number} i
 * @returns {DeadLetter}
 */
const deadLetter = (state, i) => ({
	...SECOND_INSTANCE,
	at_ms: Math.floor(state.now / 10_000) * 10_000 - i * 500_000,
	kind: "record",
	reason: state.text(i, REASONS[i % 2]),
	partition: 1,
	offset: 128_399_120 + i,
	key: recordBytes(state.text(i, "111")),
	record:
		i === 1 && !state.is("hostile")
			? BINARY
			: recordBytes(state.text(i + 1, RECORD)),
});

/**
 * @param {MockState} state
 * @returns {DeadLetter}
 */
const refusedRow = (state) => ({
	...FIRST_INSTANCE,
	at_ms: state.now - 80_000,
	kind: "row",
	reason: "WRONGTYPE Operation against a key holding the wrong kind of value",
	partition: null,
	offset: null,
	key: recordBytes("user_features:111"),
	record: null,
});

/**
 * @param {MockState} state
 * @returns {Exception[]}
 */
function exceptions(state) {
	/** @type {Exception} */
	const warning = {
		...FIRST_INSTANCE,
		at_ms: state.startedAt + 2_100_000,
		level: "warn",
		target: "windrow_connectors::redis",
		message: state.text(
			0,
			"Redis did not answer in time; the transaction is sent again attempts=1",
		),
	};
	/** @type {Exception} */
	const error = {
		...SECOND_INSTANCE,
		at_ms: state.now - 74_000,
		level: "error",
		target: "windrow_connectors::redis",
		message: "Redis is unreachable: connection refused address=localhost:6379",
	};
	return state.is("broken") ? [warning, error] : [warning];
}

/**
 * @param {MockState} state
 * @returns {DeadLetter[]}
 */
function deadLetters(state) {
	const length = state.is("hostile") ? 9 : 2;
	const letters = Array.from({ length }, (_, i) => deadLetter(state, i));
	return state.is("broken") ? [refusedRow(state), ...letters] : letters;
}

/**
 * @param {MockState} state
 * @returns {Problems}
 */
export const problems = (state) => ({
	now_ms: state.now,
	counts: {
		late_events: state.unlessEmpty(14, 0),
		dead_letters: state.unlessEmpty(2, 0),
		refused_rows: state.is("broken") ? 1 : 0,
	},
	late_events: state.unlessEmpty(
		Array.from({ length: 14 }, (_, i) => lateEvent(state, i)),
		[],
	),
	dead_letters: state.unlessEmpty(deadLetters(state), []),
	exceptions: state.unlessEmpty(exceptions(state), []),
	attention: attention(state),
});
