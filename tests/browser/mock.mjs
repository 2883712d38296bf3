// A stand-in for a job's web server: serves the pages' files and moving, made-up JSON in the shapes of docs/api.md.
// For working on the pages, and for tests of what a real job rarely shows: hostile values, empty and broken states.
// It proves nothing about the server. `node mock.mjs [PORT] [calm|busy|empty|broken|hostile]` to look at it.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ASSETS = join(
	dirname(fileURLToPath(import.meta.url)),
	"../../crates/web/assets",
);
const TYPES = {
	html: "text/html; charset=utf-8",
	js: "text/javascript; charset=utf-8",
	css: "text/css; charset=utf-8",
	svg: "image/svg+xml",
};
export const CSP =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export const HOSTILE = [
	"<script>alert(1)</script>",
	'"><img src=x onerror=alert(1)>',
	"'; DROP TABLE users; --",
	"\u202eRTL \u05d0\u05d1\u05d2",
	"👩‍👩‍👧‍👦 🧨",
	"x".repeat(1024),
	"a/b?c=d#e%20%zz",
	"javascript:alert(1)",
	"{{7*7}} ${7*7}",
];

const LONG_ZONE = "America/Argentina/ComodRivadavia";

const FILE = `name = "ecommerce"

[source.kafka]
brokers = "localhost:9092"
topic   = "ecommerce-events"
group   = "feature-engineering-group"
start   = "earliest"                  # without a checkpoint: earliest | latest

[event]
format = "json"
key    = "user_id"
time   = "event_time"                 # RFC 3339, ISO without offset (read in time_zone), or epoch number
time_zone = "UTC"
[event.fields]
event_type = "string"
price      = "double"

[watermark]
max_out_of_orderness = "10s"

[checkpoint]
every = "30s"
store = "file:./.windrow/checkpoints" # or s3://bucket/prefix, gs://…, az://…

[sink.redis]
url = "redis://localhost:6379"

[feature_view.user_features]
window.sliding = { size = "1h", slide = "10m" }
key = "user_features:{user_id}"
ttl = "2h"
[feature_view.user_features.features]
view_count_1h       = { count = "*", where = "event_type = 'view'" }
cart_count_1h       = { count = "*", where = "event_type = 'cart'" }
purchase_count_1h   = { count = "*", where = "event_type = 'purchase'" }
avg_viewed_price_1h = { avg = "price", where = "event_type = 'view'", default = 0.0 }

[feature_view.session_features]
window.session = { gap = "10m" }
key = "session_features:{user_id}:{window_start}"
ttl = "1h"
[feature_view.session_features.features]
event_count      = { count = "*" }
duration_seconds = { duration = "seconds" }
`;

const feature = (name, aggregate, where = null, standard = null) => ({
	name,
	aggregate,
	where,
	default: standard,
});
const PLAN = {
	name: "ecommerce",
	source: {
		brokers: "localhost:9092",
		topic: "ecommerce-events",
		group: "feature-engineering-group",
		on_lost_offset: "halt",
		group_protocol: "classic",
		session_timeout_ms: 45000,
	},
	event: {
		key: "user_id",
		time: "event_time",
		time_zone: "UTC",
		fields: [
			{ name: "event_type", type: "string" },
			{ name: "price", type: "double" },
		],
	},
	watermark: { max_out_of_orderness_ms: 10000 },
	checkpoint: {
		every_ms: 30000,
		store: "file:./.windrow/checkpoints",
		keep: 3,
	},
	sink: { redis: "redis://localhost:6379" },
	feature_views: [
		{
			name: "user_features",
			window: {
				sliding: { size_ms: 3600000, slide_ms: 600000, pane_ms: 600000 },
			},
			key: "user_features:{user_id}",
			ttl_ms: 7200000,
			features: [
				feature("view_count_1h", "count(*)", "event_type = 'view'"),
				feature("cart_count_1h", "count(*)", "event_type = 'cart'"),
				feature("purchase_count_1h", "count(*)", "event_type = 'purchase'"),
				feature(
					"avg_viewed_price_1h",
					"avg(price)",
					"event_type = 'view'",
					0.0,
				),
			],
		},
		{
			name: "session_features",
			window: { session: { gap_ms: 600000 } },
			key: "session_features:{user_id}:{window_start}",
			ttl_ms: 3600000,
			features: [
				feature("event_count", "count(*)"),
				feature("duration_seconds", "duration in seconds"),
			],
		},
	],
};

// The same "random" numbers for the same question, so that screenshots can be compared.
const noise = (n) => {
	const x = Math.sin(n * 127.1 + 311.7) * 43758.5453;
	return x - Math.floor(x);
};
const wave = (step, period, phase = 0) =>
	0.5 + 0.5 * Math.sin((step + phase) / period);

/**
 * Starts a mock; `{ url, scenario, ahead, drop(), refuse, close() }`. Set `scenario`, `refuse` and `ahead` (by how many
 * milliseconds its clock is) at any time.
 */
export async function startMock({ port = 0, scenario = "calm" } = {}) {
	const began = Date.now() - (3 * 3600 + 12 * 60) * 1000;
	const started = () => began + mock.ahead;
	const mock = {
		scenario,
		refuse: false,
		token: null,
		streams: new Set(),
		sockets: new Set(),
		savepoints: new Map(),
		beat: 1000,
		ahead: 0,
	};
	const one = { instance: "6f1c0a9be2d47713", host: "features-1", here: true };
	const two = { instance: "b83d51e07ac29f04", host: "features-2", here: false };

	const empty = () => mock.scenario === "empty";
	const broken = () => mock.scenario === "broken";
	const busy = () => mock.scenario === "busy";
	const hostile = () => mock.scenario === "hostile";
	const odd = (index, plain) =>
		hostile() ? HOSTILE[index % HOSTILE.length] : plain;
	const bytesOf = (text) => ({
		text,
		utf8: true,
		bytes: new TextEncoder().encode(text).length,
	});

	function history(now) {
		const step = 10_000;
		const to = Math.floor(now / step) * step;
		const from = to - 359 * step;
		const steps = Array.from({ length: 360 }, (_, i) => from / step + i);
		const series = (f) =>
			steps.map((n, i) => (n % 1000 > 700 && n % 1000 < 706 ? null : f(n, i)));
		const spike = (i) =>
			(i > 120 && i < 150 ? (i - 120) * (150 - i) : 0) +
			(busy() && i > 300 ? (i - 300) * 40 : 0);
		// A job that has just begun knows only these ten seconds.
		if (empty())
			return {
				step_ms: step,
				from_ms: to,
				records_per_s: [0],
				rows_per_s: [0],
				lag: [0],
				watermark_delay_ms: [null],
				freshness_p50_ms: [null],
				freshness_p99_ms: [null],
			};
		return {
			step_ms: step,
			from_ms: from,
			records_per_s: series(
				(n, i) =>
					41000 +
					7000 * wave(n, 40) +
					3000 * noise(n) -
					(i > 118 && i < 128 ? 30000 : 0),
			),
			rows_per_s: series((n) =>
				n % 60 < 4 ? 14000 + 4000 * noise(n) : 600 + 900 * noise(n),
			),
			lag: series((n, i) => Math.round(700 + 900 * noise(n) + spike(i) * 300)),
			watermark_delay_ms: series(
				(n, i) => 10200 + 600 * noise(n) + spike(i) * 120,
			),
			freshness_p50_ms: series((n, i) => 90 + 60 * noise(n) + spike(i) * 2),
			freshness_p99_ms: series(
				(n, i) => 420 + 400 * noise(n + 7) + spike(i) * 9,
			),
		};
	}

	function attention(now) {
		if (broken())
			return [
				{
					level: "act",
					what: `Redis has been away for ${Math.floor((now - started()) / 1000) % 1000} s: connection refused`,
					todo: "Start Redis or correct sink.redis.url; nothing is lost, reading waits.",
				},
				{
					level: "act",
					what: "Nobody reads partition 3",
					todo: "Start an instance, or wait for the group to hand it out.",
				},
				{
					level: "soon",
					what: "The last checkpoint is 94 s old",
					todo: "It waits for Redis; it comes by itself when Redis is back.",
				},
				{ level: "soon", what: "Another one", todo: "Read it." },
			];
		if (busy())
			return [
				{
					level: "soon",
					what: "The job is falling behind: 61 s and growing",
					todo: "Workers wait for Redis: look at its load, or start another instance.",
				},
			];
		return [];
	}

	function overview(now, whole) {
		const t = now / 1000;
		const rate = empty()
			? 0
			: 44200 + 5000 * wave(t, 9) + 900 * noise(Math.floor(t));
		const rows = empty() ? 0 : 3100 + 900 * noise(Math.floor(t) + 5);
		const lag = empty()
			? 0
			: busy()
				? 812_000 + Math.floor(t % 100) * 900
				: Math.round(900 + 700 * noise(Math.floor(t) + 3));
		const behind = empty() ? 0 : busy() ? 61_000 : 400;
		const name = (plain, i) => odd(i, plain);
		return {
			now_ms: now,
			job: {
				id: "4be1c1f2a7d94f0e8a5b6c7d8e9f0a1b",
				name: name("ecommerce", 0),
				topic: "ecommerce-events",
				group: "feature-engineering-group",
				state: broken() ? "degraded" : empty() ? "starting" : "running",
				started_at_ms: empty() ? now - 42_000 : started(),
				version: "0.1.0",
			},
			instances: [
				{
					...one,
					pid: 4711,
					version: "0.1.0",
					listen: "127.0.0.1:8081",
					state: "running",
					started_at_ms: started(),
					reported_at_ms: now,
					workers: 2,
					partitions: 2,
				},
				...(empty()
					? []
					: [
							{
								...two,
								host: name("features-2", 1),
								pid: 812,
								version: "0.1.0",
								listen: "",
								state: "running",
								started_at_ms: started() + 400_000,
								reported_at_ms: now - 1000,
								workers: 2,
								partitions: broken() ? 1 : 2,
							},
						]),
			],
			totals: {
				records_per_s: rate,
				rows_per_s: broken() ? 0 : rows,
				records: empty() ? 0 : 514_312_904 + Math.floor(t % 1e5) * 40000,
				rows: empty() ? 0 : 28_190_441,
				late_events: empty() ? 0 : 14,
				dead_letters: empty() ? 0 : 2,
				refused_rows: broken() ? 1 : 0,
				entities: empty() ? 0 : 182_340,
				lag,
				behind_ms: empty() ? 0 : behind,
				watermark_ms: empty() ? null : now - 10_400 - behind,
				watermark_delay_ms: empty() ? null : 10_400 + behind,
				partitions_owned: broken() ? 3 : 4,
				partitions: 4,
				busy: busy() ? 0.55 : 0.41,
				idle: busy() ? 0.02 : 0.55,
				backpressured: busy() ? 0.43 : 0.04,
			},
			checkpoint: empty()
				? {
						age_ms: null,
						every_ms: 30000,
						state_bytes: 0,
						added_bytes: 0,
						duration_ms: null,
						failed: 0,
					}
				: {
						age_ms: broken() ? 94_000 : now % 30_000,
						every_ms: 30_000,
						state_bytes: 41_200_000,
						added_bytes: 400_000,
						duration_ms: 312,
						failed: broken() ? 3 : 0,
					},
			freshness: {
				append: { p50_ms: 120, p99_ms: 800 },
				event_time: { p50_ms: 180, p99_ms: 1900 },
			},
			stages: [
				{
					id: "source",
					kind: "source",
					name: "Kafka",
					detail: "ecommerce-events, 4 partitions",
					rate_per_s: rate,
					level: busy() ? "soon" : "well",
					facts: { lag, behind_ms: behind },
					away_since_ms: null,
					reason: null,
				},
				{
					id: "decode",
					kind: "decode",
					name: "decode",
					detail: "json",
					rate_per_s: rate,
					level: "well",
					facts: { dead_letters: empty() ? 0 : 2 },
				},
				{
					id: "view-user_features",
					kind: "feature_view",
					name: name("user_features", 0),
					detail: "sliding 1 h every 10 min",
					rate_per_s: rows * 0.8,
					level: busy() ? "soon" : "well",
					facts: {
						rows: 1,
						late_events: empty() ? 0 : 11,
						entities: empty() ? 0 : 182_340,
					},
				},
				{
					id: "view-session_features",
					kind: "feature_view",
					name: name("session_features", 5),
					detail: "session, gap 10 min",
					rate_per_s: rows * 0.2,
					level: "well",
					facts: {
						rows: 1,
						late_events: empty() ? 0 : 3,
						entities: empty() ? 0 : 9_412,
					},
				},
				{
					id: "sink",
					kind: "sink",
					name: "Redis",
					detail: "redis://localhost:6379",
					rate_per_s: broken() ? 0 : rows,
					level: broken() ? "act" : busy() ? "soon" : "well",
					facts: {
						transaction_ms: 0.8,
						waiting_bytes: broken() || busy() ? 8_120_000 : 0,
						waiting_bytes_limit: 8_388_608,
						refused_rows: broken() ? 1 : 0,
					},
					away_since_ms: broken() ? now - 74_000 : null,
					reason: broken() ? "Connection refused (os error 111)" : null,
				},
			],
			attention: attention(now),
			...(whole ? { history: history(now) } : {}),
			marks: empty()
				? []
				: [
						{
							at_ms: now - 2_380_000,
							kind: "revoked",
							text: "2 partitions handed to features-2",
							instance: one.instance,
						},
						{
							at_ms: now - 2_370_000,
							kind: "assigned",
							text: "partitions 2, 3 taken over",
							instance: two.instance,
						},
						{
							at_ms: now - 1_100_000,
							kind: "savepoint",
							text: "savepoint 20261125-1021 of 4 partitions",
							instance: one.instance,
						},
						...(broken()
							? [
									{
										at_ms: now - 90_000,
										kind: "checkpoint_failed",
										text: "checkpoint of partition 1 failed: Redis is away",
										instance: one.instance,
									},
								]
							: []),
					],
		};
	}

	function partitions(now) {
		const rows = [0, 1, 2, 3].map((partition) => {
			const owner = partition < 2 ? one : two;
			if (broken() && partition === 3)
				return { partition, instance: null, host: null };
			const offset =
				128_400_000 +
				partition * 71_003 +
				Math.floor((now - started()) / 1000) * 11_000;
			const lag =
				partition === 2
					? 0
					: Math.round(200 + 300 * noise(Math.floor(now / 1000) + partition));
			return {
				...owner,
				partition,
				epoch: 7,
				worker: partition % 2,
				offset,
				end_offset: offset + lag,
				lag,
				watermark_ms: now - 10_400 - partition * 300,
				event_time_ms: now - 400,
				idle: partition === 2 && mock.scenario === "calm",
				last_record_at_ms: now - 20,
				records: 1_000_000,
				records_per_s:
					partition === 2 && mock.scenario === "calm"
						? 0
						: 11_000 + 900 * noise(Math.floor(now / 1000) * 7 + partition),
				entities: 45_000 + partition * 113,
				state_bytes: 10_300_000 + partition * 91_000,
				checkpoint_offset: offset - 100_000,
				checkpoint_age_ms: (now + partition * 7000) % 30_000,
			};
		});
		return {
			now_ms: now,
			topic: "ecommerce-events",
			partitions: empty() ? [] : rows,
		};
	}

	function checkpoints(now) {
		const list = [];
		for (let n = 0; n < 30 && !empty(); n++) {
			for (let partition = 0; partition < 4; partition++) {
				const owner = partition < 2 ? one : two;
				const began =
					Math.floor((now - partition * 7000) / 30_000) * 30_000 +
					partition * 7000 -
					n * 30_000;
				const failed = broken() && n < 2 && partition === 1;
				list.push({
					...owner,
					partition,
					epoch: 7,
					number: Math.floor(began / 30_000) % 100_000,
					savepoint: null,
					status: failed ? "failed" : "completed",
					began_at_ms: began,
					ended_at_ms: began + 180 + Math.round(250 * noise(n * 4 + partition)),
					offset: 128_400_000 + (Math.floor(began / 1000) % 1e6),
					added_bytes: 90_000 + Math.round(40_000 * noise(n + partition)),
					state_bytes: 10_300_000,
					failure: failed
						? "Redis is away: rows before this checkpoint are not safe yet"
						: null,
					place: `file:./.windrow/checkpoints/ecommerce-4be1c1f2/p${partition}/e7/c${Math.floor(began / 30_000) % 100_000}`,
				});
			}
		}
		list.sort((a, b) => b.began_at_ms - a.began_at_ms);
		return {
			now_ms: now,
			every_ms: 30_000,
			keep: 3,
			place: "file:/var/lib/windrow/checkpoints/ecommerce-4be1c1f2",
			counts: {
				completed: empty() ? 0 : 1543,
				failed: broken() ? 3 : 0,
				in_progress: 0,
				restored: empty() ? 0 : 4,
				fenced: 0,
			},
			checkpoints: list,
			restored: empty()
				? []
				: [0, 1, 2, 3].map((partition) => ({
						...(partition < 2 ? one : two),
						partition,
						epoch: 6,
						number: 88_120 + partition,
						at_ms: started() + 900,
						took_ms: 210 + partition * 31,
						savepoint:
							partition === 0
								? odd(0, "file:/var/lib/windrow/savepoints/20261120-0830")
								: null,
						offset: 128_000_000 + partition,
					})),
			savepoints: empty()
				? []
				: [
						{
							id: odd(0, "20261125-1021-6f1c"),
							place: odd(
								1,
								"file:/var/lib/windrow/checkpoints/ecommerce-4be1c1f2/savepoints/20261125-1021-6f1c",
							),
							taken_at_ms: now - 1_100_000,
							bytes: 41_300_000,
							partitions: 4,
						},
					],
		};
	}

	function userFields(user, n) {
		return [
			["user_id", user],
			["view_count_1h", String(Math.floor(12 + 6 * noise(n)))],
			["cart_count_1h", String(Math.floor(4 * noise(n + 1)))],
			["purchase_count_1h", String(Math.floor(2.5 * noise(n + 2)))],
			["avg_viewed_price_1h", String(39.9 + 20 * noise(n + 3))],
		];
	}

	function features(now, user) {
		const known = user && user !== "nobody" && !empty();
		const slot = Math.floor(now / 5000);
		const sessions = [3_400_000, 2_300_000, 1_500_000].map((ago, i) => ({
			start: Math.floor((now - ago) / 600_000) * 600_000 + 61_000 * i,
			length: [640, 1210, 95][i],
			ago,
		}));
		const view = (name, session) => ({
			name: session ? name : odd(0, name),
			window: session ? "session, gap 10 min" : "sliding 1 h every 10 min",
			session,
			rows: empty() ? 0 : session ? 2_190_441 : 26_000_000,
			rows_per_s: empty() ? 0 : session ? 140 : 3000,
			late_events: empty() ? 0 : session ? 3 : 11,
			entities: empty() ? 0 : session ? 9412 : 182_340,
			ttl_ms: session ? 3_600_000 : 7_200_000,
			current:
				!known || (session && busy())
					? []
					: session
						? sessions.map(({ start, length }) => ({
								redis_key: `session_features:${user}:${start}`,
								window_start_ms: start,
								window_end_ms: null,
								fields: [
									["user_id", user],
									["event_count", String(Math.floor(length / 40))],
									["duration_seconds", String(length)],
								],
								age_ms: Math.max(0, now - start - length * 1000),
								ttl_left_ms: Math.max(
									0,
									3_600_000 - (now - start - length * 1000),
								),
								other_type: null,
							}))
						: [
								{
									redis_key: `user_features:${user}`,
									window_start_ms: null,
									window_end_ms: null,
									fields: [
										...userFields(user, slot),
										...(hostile()
											? HOSTILE.map((each, i) => [`${each}${i}`, each])
											: []),
									],
									age_ms: now % 5000,
									ttl_left_ms: 7_200_000 - (now % 5000),
									other_type: null,
								},
							],
			recent:
				!known || session
					? []
					: Array.from({ length: 14 }, (_, i) => ({
							at_ms: (slot - 14 + i) * 5000,
							redis_key: `user_features:${user}`,
							fields: userFields(user, slot - 14 + i),
						})),
		});
		return {
			now_ms: now,
			user: user ?? null,
			key_field: "user_id",
			redis: {
				away_since_ms: broken() ? now - 74_000 : null,
				reason: broken() ? "Connection refused (os error 111)" : null,
			},
			search: {
				done: !busy(),
				failure: hostile()
					? "Redis at localhost:6379 (sink.redis.url): NoPerm: User default has no permissions to run the 'scan' command"
					: null,
			},
			feature_views: [
				view("user_features", false),
				view("session_features", true),
			],
			late_events: known && user === "111" ? [late(now, 0, user)] : [],
			dead_letters: [],
		};
	}

	function late(now, i, user) {
		const at = Math.floor(now / 10_000) * 10_000 - i * 71_000;
		const key =
			user ??
			odd(
				i,
				[
					"111",
					"u-20417",
					"9f7c2e",
					"shopper-88231-with-a-rather-long-identifier-0001",
				][i % 4],
			);
		const text = JSON.stringify({
			user_id: key,
			event_type: i % 2 ? "view" : "cart",
			price: 12.5 + i,
			event_time: new Date(at - 4_000_000).toISOString(),
			n: 1,
		});
		return {
			...one,
			at_ms: at,
			feature_views:
				i % 3 ? ["user_features"] : ["user_features", "session_features"],
			key,
			event_time_ms: at - 4_000_000 - i * 1000,
			watermark_ms: at - 10_400,
			partition: i % 4,
			offset: 128_400_211 + i,
			record: bytesOf(text),
		};
	}

	function problems(now) {
		const dead = (i) => ({
			...two,
			at_ms: Math.floor(now / 10_000) * 10_000 - i * 500_000,
			kind: "record",
			reason: odd(
				i,
				["no field event_time", "not JSON: expected value at line 1 column 1"][
					i % 2
				],
			),
			partition: 1,
			offset: 128_399_120 + i,
			key: bytesOf(odd(i, "111")),
			record:
				i === 1 && !hostile()
					? {
							text: "\ufffd\ufffd\u0000\u0001 binary",
							utf8: false,
							bytes: 4096,
						}
					: bytesOf(
							odd(
								i + 1,
								'{"user_id":"111","event_type":"view","price":19.9,"big":12345678901234567890}',
							),
						),
		});
		return {
			now_ms: now,
			counts: {
				late_events: empty() ? 0 : 14,
				dead_letters: empty() ? 0 : 2,
				refused_rows: broken() ? 1 : 0,
			},
			late_events: empty()
				? []
				: Array.from({ length: 14 }, (_, i) => late(now, i)),
			dead_letters: empty()
				? []
				: [
						...(broken()
							? [
									{
										...one,
										at_ms: now - 80_000,
										kind: "row",
										reason:
											"WRONGTYPE Operation against a key holding the wrong kind of value",
										partition: null,
										offset: null,
										key: bytesOf("user_features:111"),
										record: null,
									},
								]
							: []),
						...Array.from({ length: hostile() ? 9 : 2 }, (_, i) => dead(i)),
					],
			exceptions: empty()
				? []
				: [
						{
							...one,
							at_ms: started() + 2_100_000,
							level: "warn",
							target: "windrow_connectors::redis",
							message: odd(
								0,
								"Redis did not answer in time; the transaction is sent again attempts=1",
							),
						},
						...(broken()
							? [
									{
										...two,
										at_ms: now - 74_000,
										level: "error",
										target: "windrow_connectors::redis",
										message:
											"Redis is away: connection refused address=localhost:6379",
									},
								]
							: []),
					],
			attention: attention(now),
		};
	}

	function rows(now) {
		const list = empty()
			? []
			: Array.from({ length: 24 }, (_, i) => {
					const n = Math.floor(now / 700) - i;
					const user = odd(n, `u-${Math.floor(90_000 * noise(n))}`);
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
						ttl_ms: 7_200_000,
					};
				});
		return { now_ms: now, rows: list };
	}

	const answers = {
		"/api/overview": (now, query, whole) => overview(now, whole),
		"/api/partitions": partitions,
		"/api/checkpoints": checkpoints,
		"/api/features": (now, query) => features(now, query.get("user")),
		"/api/rows": rows,
		"/api/problems": problems,
		"/api/pipeline": () => ({
			name: odd(0, "ecommerce"),
			text: hostile() ? `${FILE}\n# ${HOSTILE.join("\n# ")}\n` : FILE,
			plan: {
				...PLAN,
				event: { ...PLAN.event, time_zone: hostile() ? LONG_ZONE : "UTC" },
			},
		}),
	};

	function json(response, status, value) {
		response.writeHead(status, {
			"content-type": "application/json",
			"cache-control": "no-store",
		});
		response.end(JSON.stringify(value));
	}

	async function file(response, path) {
		const clean = normalize(path);
		try {
			const content = await readFile(join(ASSETS, clean));
			response.writeHead(200, {
				"content-type":
					TYPES[clean.split(".").pop()] ?? "application/octet-stream",
				"content-security-policy": CSP,
				"x-content-type-options": "nosniff",
			});
			response.end(content);
		} catch {
			json(response, 404, { errors: [`no ${path}`] });
		}
	}

	async function answer(request, response) {
		if (mock.refuse) return request.socket.destroy();
		const url = new URL(request.url, "http://mock");
		const path = url.pathname;
		if (path.startsWith("/assets/")) return file(response, path.slice(8));
		if (path === "/login") {
			if (request.method === "GET") return file(response, "login/login.html");
			let body = "";
			for await (const chunk of request) body += chunk;
			const good = new URLSearchParams(body).get("token") === mock.token;
			response.writeHead(303, {
				location: good ? "/" : "/login?failed",
				...(good
					? { "set-cookie": "windrow=1; HttpOnly; SameSite=Strict; Path=/" }
					: {}),
			});
			return response.end();
		}
		if (mock.token && !/windrow=1/.test(request.headers.cookie ?? "")) {
			if (path.startsWith("/api/"))
				return json(response, 401, { errors: ["log in"] });
			response.writeHead(303, { location: "/login" });
			return response.end();
		}
		if (path === "/api/savepoints" && request.method === "POST") {
			let body = "";
			for await (const chunk of request) body += chunk;
			const id = `r${mock.savepoints.size}`;
			mock.savepoints.set(id, { at: Date.now(), to: JSON.parse(body).to });
			return json(response, 202, { request: id });
		}
		const asked = /^\/api\/savepoints\/(\w+)$/.exec(path);
		if (asked) {
			const { at, to } = mock.savepoints.get(asked[1]) ?? {};
			const saved = Math.min(4, Math.floor((Date.now() - at) / 400));
			const status =
				to === "/forbidden"
					? "failed"
					: saved < 4
						? "in_progress"
						: "completed";
			return json(response, 200, {
				status,
				saved,
				partitions: 4,
				location:
					status === "completed"
						? `${to ?? "file:/var/lib/windrow/savepoints"}/20261125 1041-77aa`
						: null,
				failure:
					status === "failed"
						? "/forbidden: Permission denied (os error 13)"
						: null,
			});
		}
		const live = path.endsWith("/live") ? path.slice(0, -5) : null;
		const of = answers[live ?? path];
		if (of && live) {
			response.writeHead(200, {
				"content-type": "text/event-stream",
				"cache-control": "no-store",
			});
			let n = 0;
			const send = () =>
				response.write(
					`data: ${JSON.stringify(of(Date.now() + mock.ahead, url.searchParams, n++ % 10 === 0))}\n\n`,
				);
			send();
			const timer = setInterval(send, mock.beat);
			mock.streams.add(response);
			response.on("close", () => {
				clearInterval(timer);
				mock.streams.delete(response);
			});
			return undefined;
		}
		if (of)
			return json(
				response,
				200,
				of(
					Date.now() + mock.ahead,
					url.searchParams,
					url.searchParams.get("history") !== "false",
				),
			);
		if (
			/^\/(partitions|checkpoints|features(\/.*)?|problems|pipeline)?$/.test(
				path,
			)
		)
			return file(response, "job/index.html");
		return json(response, 404, { errors: [`no ${path}`] });
	}

	const server = createServer((request, response) =>
		answer(request, response).catch((fault) =>
			json(response, 500, { errors: [String(fault)] }),
		),
	);
	server.on("connection", (socket) => {
		mock.sockets.add(socket);
		socket.on("close", () => mock.sockets.delete(socket));
	});
	await new Promise((done) => server.listen(port, "127.0.0.1", done));
	mock.url = `http://127.0.0.1:${server.address().port}`;
	mock.drop = () => {
		for (const socket of mock.sockets) socket.destroy();
	};
	mock.close = () =>
		new Promise((done) => {
			mock.drop();
			server.close(done);
		});
	return mock;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const mock = await startMock({
		port: Number(process.argv[2] ?? 8099),
		scenario: process.argv[3] ?? "calm",
	});
	console.log(`${mock.url} (${mock.scenario})`);
}
