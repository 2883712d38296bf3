// The pipeline: its file and its plan.

import { HOSTILE } from "./state.mjs";

/** @import { FeaturePlan, Pipeline, PipelinePlan } from "/types/job-api.js" */
/** @import { MockState } from "./state.mjs" */

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

/**
 * @param {string} name
 * @param {string} aggregate
 * @param {string | null} where
 * @param {number | null} fallback
 * @returns {FeaturePlan}
 */
const feature = (name, aggregate, where = null, fallback = null) => ({
	name,
	aggregate,
	where,
	default: fallback,
});

/** @type {PipelinePlan} */
const PLAN = {
	name: "ecommerce",
	source: {
		brokers: "localhost:9092",
		topic: "ecommerce-events",
		group: "feature-engineering-group",
		on_lost_offset: "halt",
		on_partition_fault: "park",
		on_misplaced: "warn",
		partitioner: null,
		group_protocol: "classic",
		session_timeout_ms: 45000,
	},
	event: {
		key: "user_id",
		time: "event_time",
		time_unit: "ms",
		time_format: null,
		time_zone: "UTC",
		types: "lenient",
		fields: [
			{ name: "event_type", type: "string" },
			{ name: "price", type: "double" },
		],
	},
	watermark: {
		max_out_of_orderness_ms: 10000,
		idle_timeout_ms: 30000,
		idle_timeout_includes_history: false,
		max_future_ms: 3600000,
	},
	checkpoint: {
		every_ms: 30000,
		store: "file:./.windrow/checkpoints",
		keep: 3,
		savepoints: [],
	},
	sink: { redis: "redis://localhost:6379", wait_replicas: 0, wait_aof: false },
	feature_views: [
		{
			name: "user_features",
			window: {
				sliding: { size_ms: 3600000, slide_ms: 600000, pane_ms: 600000 },
			},
			key: "user_features:{user_id}",
			allowed_lateness_ms: 0,
			when_empty: "keep",
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
			allowed_lateness_ms: 0,
			when_empty: "keep",
			ttl_ms: 3600000,
			features: [
				feature("event_count", "count(*)"),
				feature("duration_seconds", "duration in seconds"),
			],
		},
	],
};

/**
 * @param {MockState} state
 * @returns {Pipeline}
 */
export function pipeline(state) {
	const hostile = state.is("hostile");
	return {
		name: state.text(0, "ecommerce"),
		text: hostile ? `${FILE}\n# ${HOSTILE.join("\n# ")}\n` : FILE,
		plan: {
			...PLAN,
			event: { ...PLAN.event, time_zone: hostile ? LONG_ZONE : "UTC" },
		},
	};
}
