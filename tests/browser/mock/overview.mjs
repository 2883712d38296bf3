// The overview: totals, stages, notices, the last hour.

import { FIRST_INSTANCE, noise, SECOND_INSTANCE, wave } from "./state.mjs";

/** @import { Attention, History, InstanceSummary, JobSummary, LastCheckpoint, Mark, Overview, Stage, Totals } from "/types/job-api.js" */
/** @import { MockState } from "./state.mjs" */

const STEP_MS = 10_000;
const STEPS = 360;

/**
 * @param {MockState} state
 * @returns {History}
 */
function history(state) {
	const to = Math.floor(state.now / STEP_MS) * STEP_MS;
	// A job that has just begun knows only these ten seconds.
	if (state.is("empty"))
		return {
			step_ms: STEP_MS,
			from_ms: to,
			records_per_s: [0],
			rows_per_s: [0],
			lag: [0],
			watermark_delay_ms: [null],
			freshness_p50_ms: [null],
			freshness_p99_ms: [null],
		};
	const from = to - (STEPS - 1) * STEP_MS;
	/** @param {(step: number, index: number) => number} value */
	const series = (value) =>
		Array.from({ length: STEPS }, (_, index) => {
			const step = from / STEP_MS + index;
			const unknown = step % 1000 > 700 && step % 1000 < 706;
			return unknown ? null : value(step, index);
		});
	/** @param {number} i */
	const spike = (i) => {
		const past = i > 120 && i < 150 ? (i - 120) * (150 - i) : 0;
		return past + (state.is("busy") && i > 300 ? (i - 300) * 40 : 0);
	};
	return {
		step_ms: STEP_MS,
		from_ms: from,
		records_per_s: series((n, i) => {
			const dip = i > 118 && i < 128 ? 30000 : 0;
			return 41000 + 7000 * wave(n, 40) + 3000 * noise(n) - dip;
		}),
		rows_per_s: series((n) =>
			n % 60 < 4 ? 14000 + 4000 * noise(n) : 600 + 900 * noise(n),
		),
		lag: series((n, i) => Math.round(700 + 900 * noise(n) + spike(i) * 300)),
		watermark_delay_ms: series(
			(n, i) => 10200 + 600 * noise(n) + spike(i) * 120,
		),
		freshness_p50_ms: series((n, i) => 90 + 60 * noise(n) + spike(i) * 2),
		freshness_p99_ms: series((n, i) => 420 + 400 * noise(n + 7) + spike(i) * 9),
	};
}

/**
 * @param {MockState} state
 * @returns {Attention[]}
 */
export function attention(state) {
	const seconds = Math.floor((state.now - state.startedAt) / 1000) % 1000;
	if (state.is("broken"))
		return [
			{
				level: "act",
				what: `Redis has been unreachable for ${seconds} s: connection refused`,
				todo: "Start Redis or correct sink.redis.url. Nothing is lost; reading resumes by itself.",
			},
			{
				level: "act",
				what: "Partition 3 has no owner",
				todo: "Start an instance, or wait for the group to assign it.",
			},
			{
				level: "soon",
				what: "The last checkpoint is 94 s old",
				todo: "It waits for Redis and follows as soon as Redis answers.",
			},
			{ level: "soon", what: "Another one", todo: "Read it." },
		];
	if (state.is("busy"))
		return [
			{
				level: "soon",
				what: "The job is falling behind: 61 s and growing",
				todo: "Workers wait for Redis: look at its load, or start another instance.",
			},
		];
	return [];
}

/**
 * @param {MockState} state
 * @returns {JobSummary}
 */
function jobSummary(state) {
	const states = /** @type {const} */ ({
		broken: "degraded",
		empty: "starting",
		calm: "running",
		busy: "running",
		hostile: "running",
	});
	return {
		id: "4be1c1f2a7d94f0e8a5b6c7d8e9f0a1b",
		name: state.text(0, "ecommerce"),
		topic: "ecommerce-events",
		group: "feature-engineering-group",
		state: states[state.scenario],
		started_at_ms: state.unlessEmpty(state.startedAt, state.now - 42_000),
		version: "0.1.0",
	};
}

/**
 * @param {MockState} state
 * @returns {InstanceSummary[]}
 */
function instances(state) {
	const first = {
		...FIRST_INSTANCE,
		pid: 4711,
		version: "0.1.0",
		listen: "127.0.0.1:8081",
		state: "running",
		started_at_ms: state.startedAt,
		reported_at_ms: state.now,
		workers: 2,
		partitions: 2,
	};
	const second = {
		...SECOND_INSTANCE,
		host: state.text(1, "features-2"),
		pid: 812,
		version: "0.1.0",
		listen: "",
		state: "running",
		started_at_ms: state.startedAt + 400_000,
		reported_at_ms: state.now - 1000,
		workers: 2,
		partitions: state.is("broken") ? 1 : 2,
	};
	return state.unlessEmpty([first, second], [first]);
}

/** @param {MockState} state */
function currentLag(state) {
	const seconds = state.now / 1000;
	if (state.is("empty")) return 0;
	if (state.is("busy")) return 812_000 + Math.floor(seconds % 100) * 900;
	return Math.round(900 + 700 * noise(Math.floor(seconds) + 3));
}

/**
 * @param {MockState} state
 * @returns {Totals}
 */
function totals(state) {
	const seconds = state.now / 1000;
	const busy = state.is("busy");
	const broken = state.is("broken");
	const behind = state.unlessEmpty(busy ? 61_000 : 400, 0);
	const rate =
		44200 + 5000 * wave(seconds, 9) + 900 * noise(Math.floor(seconds));
	const rows = 3100 + 900 * noise(Math.floor(seconds) + 5);
	return {
		records_per_s: state.unlessEmpty(rate, 0),
		rows_per_s: broken ? 0 : state.unlessEmpty(rows, 0),
		records: state.unlessEmpty(
			Math.floor((state.now - state.startedAt) * 44.6),
			0,
		),
		rows: state.unlessEmpty(28_190_441, 0),
		late_events: state.unlessEmpty(14, 0),
		dead_letters: state.unlessEmpty(2, 0),
		refused_rows: broken ? 1 : 0,
		entities: state.unlessEmpty(182_340, 0),
		lag: currentLag(state),
		behind_ms: behind,
		watermark_ms: state.unlessEmpty(state.now - 10_400 - behind, null),
		watermark_delay_ms: state.unlessEmpty(10_400 + behind, null),
		partitions_owned: broken ? 3 : 4,
		partitions: 4,
		busy: busy ? 0.55 : 0.41,
		idle: busy ? 0.02 : 0.55,
		backpressured: busy ? 0.43 : 0.04,
	};
}

/**
 * @param {MockState} state
 * @returns {LastCheckpoint}
 */
function lastCheckpoint(state) {
	const broken = state.is("broken");
	return {
		age_ms: state.unlessEmpty(broken ? 94_000 : state.now % 30_000, null),
		every_ms: 30_000,
		state_bytes: state.unlessEmpty(41_200_000, 0),
		added_bytes: state.unlessEmpty(400_000, 0),
		duration_ms: state.unlessEmpty(312, null),
		failed: broken ? 3 : 0,
	};
}

/**
 * @param {MockState} state
 * @param {Totals} totals
 * @returns {Stage[]}
 */
function feedingStages(state, { records_per_s, lag, behind_ms }) {
	return [
		{
			id: "source",
			kind: "source",
			name: "Kafka",
			detail: "ecommerce-events, 4 partitions",
			rate_per_s: records_per_s,
			level: state.is("busy") ? "soon" : "well",
			facts: { lag, behind_ms },
			away_since_ms: null,
			reason: null,
		},
		{
			id: "decode",
			kind: "decode",
			name: "decode",
			detail: "json",
			rate_per_s: records_per_s,
			level: "well",
			facts: { dead_letters: state.unlessEmpty(2, 0) },
		},
	];
}

/**
 * @param {MockState} state
 * @param {number} rows
 * @returns {Stage[]}
 */
function viewStages(state, rows) {
	return [
		{
			id: "view-user_features",
			kind: "feature_view",
			name: state.text(0, "user_features"),
			detail: "sliding 1 h every 10 min",
			rate_per_s: rows * 0.8,
			level: state.is("busy") ? "soon" : "well",
			facts: {
				rows: 1,
				late_events: state.unlessEmpty(11, 0),
				entities: state.unlessEmpty(182_340, 0),
			},
		},
		{
			id: "view-session_features",
			kind: "feature_view",
			name: state.text(5, "session_features"),
			detail: "session, gap 10 min",
			rate_per_s: rows * 0.2,
			level: "well",
			facts: {
				rows: 1,
				late_events: state.unlessEmpty(3, 0),
				entities: state.unlessEmpty(9_412, 0),
			},
		},
	];
}

/**
 * @param {MockState} state
 * @param {number} rows
 * @returns {Stage}
 */
function sinkStage(state, rows) {
	const broken = state.is("broken");
	const full = broken || state.is("busy");
	const level = broken ? "act" : "soon";
	return {
		id: "sink",
		kind: "sink",
		name: "Redis",
		detail: "redis://localhost:6379",
		rate_per_s: rows,
		level: full ? level : "well",
		facts: {
			transaction_ms: 0.8,
			waiting_bytes: full ? 8_120_000 : 0,
			waiting_bytes_limit: 8_388_608,
			refused_rows: broken ? 1 : 0,
		},
		away_since_ms: broken ? state.now - 74_000 : null,
		reason: broken ? "Connection refused (os error 111)" : null,
	};
}

/**
 * @param {MockState} state
 * @returns {Mark[]}
 */
function marks(state) {
	const { now } = state;
	const [first, second] = [FIRST_INSTANCE.instance, SECOND_INSTANCE.instance];
	const all = [
		{
			at_ms: now - 2_380_000,
			kind: "revoked",
			text: "2 partitions handed to features-2",
			instance: first,
		},
		{
			at_ms: now - 2_370_000,
			kind: "assigned",
			text: "partitions 2, 3 taken over",
			instance: second,
		},
		{
			at_ms: now - 1_100_000,
			kind: "savepoint",
			text: "savepoint 20261125-1021 of 4 partitions",
			instance: first,
		},
	];
	if (state.is("broken"))
		all.push({
			at_ms: now - 90_000,
			kind: "checkpoint_failed",
			text: "checkpoint of partition 1 failed: Redis is unreachable",
			instance: first,
		});
	return state.unlessEmpty(all, []);
}

/**
 * @param {MockState} state
 * @param {boolean} withHistory
 * @returns {Overview}
 */
export function overview(state, withHistory) {
	const sums = totals(state);
	return {
		now_ms: state.now,
		job: jobSummary(state),
		instances: instances(state),
		totals: sums,
		checkpoint: lastCheckpoint(state),
		freshness: {
			append: { p50_ms: 120, p99_ms: 800 },
			event_time: { p50_ms: 180, p99_ms: 1900 },
		},
		stages: [
			...feedingStages(state, sums),
			...viewStages(state, sums.rows_per_s),
			sinkStage(state, sums.rows_per_s),
		],
		attention: attention(state),
		...(withHistory ? { history: history(state) } : {}),
		marks: marks(state),
	};
}
