// The JSON Schema of the pipeline file accepts every pipeline that Windrow accepts, and refuses the mistakes that a
// schema can express. crates/spec/tests/schema.rs compares the schema with the settings that Windrow reads.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { parse } from "smol-toml";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MISTAKES = "crates/spec/tests/mistakes";
const ACCEPTED = "crates/spec/tests/accepted";
const PIPELINES = [
	"pipelines/ecommerce.toml",
	"crates/windrow/tests/cli/windows/every_aggregate.toml",
	"crates/windrow/tests/end_to_end/pipelines/telling.toml",
	"crates/windrow/tests/fixtures/state-v1/pipeline.toml",
	"crates/windrow/tests/old_state/pipeline.toml",
];

/** @param {string} path in the repository */
const read = (path) => readFileSync(`${ROOT}/${path}`, "utf8");

const validate = new Ajv({ allErrors: true, strict: false }).compile(
	JSON.parse(read("pipelines/windrow.schema.json")),
);

/**
 * Returns what the schema refuses in a pipeline file, each as `place: reason`.
 * @param {string} path in the repository
 */
function refusals(path) {
	// This parser refuses integers beyond 64 bits, which Windrow reports as a mistake of its own.
	const text = read(path).replace("9223372036854775808", "0");
	validate(parse(text));
	const found = (validate.errors ?? [])
		// These only repeat that one of several alternatives, or a name, is refused.
		.filter(({ schemaPath }) => !/oneOf.|propertyNames$/.test(schemaPath))
		.map(({ instancePath, keyword, params, propertyName }) => {
			const name =
				params.additionalProperty ?? params.missingProperty ?? propertyName;
			const place = instancePath.slice(1).replaceAll("/", ".") || "file";
			return `${place}: ${keyword}${name === undefined ? "" : ` ${JSON.stringify(name)}`}`;
		});
	return [...new Set(found)].sort();
}

/** What the schema refuses in each file of mistakes. */
const REFUSALS = {
	"dead_letters.toml": [],
	"dead_letters_nowhere.toml": [
		'dead_letters: additionalProperties "topics"',
		"dead_letters: oneOf",
	],
	"durations.toml": [
		"checkpoint.every: pattern",
		"feature_view.b.window.session.gap: minLength",
		"feature_view.b.window.session.gap: pattern",
		"feature_view.c.ttl: type",
		"feature_view.d.ttl: pattern",
		"feature_view.d.window.tumbling.size: type",
		"watermark.max_out_of_orderness: type",
	],
	"empty.toml": [
		'file: required "event"',
		'file: required "feature_view"',
		'file: required "name"',
		'file: required "sink"',
		'file: required "source"',
		'file: required "watermark"',
	],
	"event.toml": [
		"event.fields.a: enum",
		"event.fields.b: enum",
		"event.fields.c: enum",
		'event.fields: pattern ""',
		'event.fields: pattern "d\\te"',
		"event.format: enum",
		"event.max_key_bytes: minimum",
		"event.types: enum",
	],
	"event_names.toml": [
		"event.key: not",
		"event.max_key_bytes: type",
		"event.time_zone: type",
	],
	"event_same_member.toml": [],
	"event_time.toml": ["event.time: oneOf"],
	"event_time_offset.toml": [],
	"event_time_type.toml": ["event.time: oneOf"],
	"features.toml": [
		"feature_view.f.features.default_date.default: type",
		'feature_view.f.features.misspelt: additionalProperties "counts"',
		"feature_view.f.features.misspelt: oneOf",
		"feature_view.f.features.not_text.count: type",
		"feature_view.f.features.nothing: oneOf",
		"feature_view.f.features.only_where: oneOf",
		"feature_view.f.features.several: oneOf",
		"feature_view.f.features.text: oneOf",
		"feature_view.f.features.text: type",
		"feature_view.f.features.unit.duration: enum",
		'feature_view.f.features.unknown_setting: additionalProperties "having"',
		'feature_view.f.features: not "late"',
		'feature_view.f.features: not "window_start"',
		'feature_view.f.features: pattern ""',
		'feature_view.f.features: pattern "line\\nbreak"',
	],
	"five.toml": [
		"event.fields.price: enum",
		'feature_view.user_features: required "ttl"',
		'source.kafka: additionalProperties "topik"',
		'source.kafka: required "topic"',
		"watermark.max_out_of_orderness: pattern",
	],
	"key_collisions.toml": [],
	"keys.toml": [
		"feature_view.empty.key: pattern",
		"feature_view.number.key: type",
	],
	"late_events.toml": [],
	"late_events_nowhere.toml": [
		'late_events: additionalProperties "topics"',
		"late_events: oneOf",
	],
	"other_systems.toml": [
		"event.fields.payload: enum",
		'feature_view.f.features.filter: additionalProperties "filter"',
		'feature_view.f.features.mean: additionalProperties "mean"',
		"feature_view.f.features.mean: oneOf",
		'feature_view.f.features.nested: additionalProperties "quantile"',
		'feature_view.f.features.nested: additionalProperties "wher"',
		"feature_view.f.features.nested: oneOf",
		'feature_view.f.features.nothing_known: additionalProperties "frobnicate"',
		'feature_view.f.features.nothing_known: additionalProperties "how"',
		"feature_view.f.features.nothing_known: oneOf",
		'feature_view.f.features.percentile: additionalProperties "p"',
		'feature_view.f.features.percentile: additionalProperties "percentile"',
		"feature_view.f.features.percentile: oneOf",
		'feature_view.f.features.stddev: additionalProperties "stddev"',
		"feature_view.f.features.stddev: oneOf",
		'feature_view.f.features.topk: additionalProperties "k"',
		'feature_view.f.features.topk: additionalProperties "topk"',
		"feature_view.f.features.topk: oneOf",
		'feature_view.f.features.ttl: additionalProperties "ttl"',
		'feature_view.hopping.window: additionalProperties "hop"',
		"feature_view.hopping.window: oneOf",
		'feature_view.no_kind.window: additionalProperties "size"',
		"feature_view.no_kind.window: oneOf",
	],
	"savepoints.toml": [
		"checkpoint.savepoints.0: pattern",
		"checkpoint.savepoints.10: type",
		"checkpoint.savepoints.1: pattern",
		"checkpoint.savepoints.3: pattern",
		"checkpoint.savepoints.6: pattern",
		"checkpoint.savepoints.7: pattern",
		"checkpoint.savepoints.8: pattern",
		"checkpoint.savepoints.9: type",
	],
	"savepoints_text.toml": ["checkpoint.savepoints: type"],
	"secrets.toml": ["sink.redis.password: oneOf"],
	"secrets_elsewhere.toml": ["source.kafka.topic: pattern"],
	"secrets_inline.toml": ['sink.redis: additionalProperties "timeout"'],
	"secrets_twice.toml": [],
	"secrets_user.toml": ['sink.redis: additionalProperties "pasword"'],
	"sections.toml": [
		'event: required "key"',
		'event: required "time"',
		"feature_view: minProperties",
		"sink.redis: type",
		'source: required "kafka"',
		'watermark: required "max_out_of_orderness"',
	],
	"source_and_sink.toml": [
		"checkpoint.keep: minimum",
		"checkpoint.store: pattern",
		"dead_letters.topic: not",
		"dead_letters: oneOf",
		"name: pattern",
		"sink.redis.url: oneOf",
		"sink.redis.wait_aof: type",
		"sink.redis.wait_replicas: minimum",
		"source.kafka.brokers: pattern",
		"source.kafka.group: pattern",
		"source.kafka.start: enum",
		"source.kafka.topic: pattern",
		"watermark.max_out_of_orderness: pattern",
		'watermark: additionalProperties "grace"',
	],
	"source_membership.toml": [
		"source.kafka.on_lost_offset: enum",
		"source.kafka.on_misplaced: enum",
		"source.kafka.partitioner: enum",
	],
	"source_session.toml": [
		"source.kafka.group_protocol: enum",
		"source.kafka.on_lost_offset: enum",
	],
	"tables.toml": [
		"checkpoint: type",
		"dead_letters: oneOf",
		"dead_letters: type",
		"event: type",
		"feature_view: type",
		'file: additionalProperties "feature_views"',
		"name: pattern",
		"sink: type",
		"source: type",
		"watermark: type",
	],
	"tests.toml": [
		'test.0.late.hourly.0: required "event_time"',
		'test.0: additionalProperties "event"',
		'test.0: required "events"',
		"test.2.events.2: type",
		'test.2: required "name"',
		"test.3.dead_letters.0: pattern",
		"test.3.dead_letters.1: type",
		"test.3.events: type",
		"test.3.late: type",
		"test.3.name: pattern",
		"test.3.other_rows: type",
		"test.3.rows: type",
		"test.4.rows.hourly.4: type",
		"test.4.rows.visits: type",
		'test.5.late.visits.0: required "event_time"',
	],
	"tests_list.toml": ["test: type"],
	"views.toml": [
		"feature_view.a view.features: minProperties",
		'feature_view.a view: additionalProperties "early_firings"',
		"feature_view.features_as_list.features: type",
		'feature_view.nothing: required "features"',
		'feature_view.nothing: required "key"',
		'feature_view.nothing: required "ttl"',
		'feature_view.nothing: required "window"',
		"feature_view.text: type",
		'feature_view: pattern "a view"',
	],
	"watermark.toml": [
		"watermark.max_future: anyOf",
		"watermark.max_future: enum",
		"watermark.max_future: type",
	],
	"where.toml": [
		"feature_view.f.features.empty.where: pattern",
		"feature_view.f.features.not_text.where: type",
	],
	"where_null.toml": [],
	"wide_characters.toml": [
		"event.fields.종류: enum",
		"source.kafka.start: enum",
		"source.kafka.topic: pattern",
		"watermark.max_out_of_orderness: pattern",
	],
	"windows.toml": [
		'feature_view.fields.window.tumbling: additionalProperties "slide"',
		'feature_view.half.window.sliding: required "slide"',
		'feature_view.misspelt.window: additionalProperties "slidding"',
		"feature_view.misspelt.window: oneOf",
		"feature_view.none.window: oneOf",
		'feature_view.other_engine.window: additionalProperties "hop"',
		"feature_view.other_engine.window: oneOf",
		"feature_view.removed.when_empty: enum",
		"feature_view.text.window: oneOf",
		"feature_view.text.window: type",
		"feature_view.two.window: oneOf",
	],
};

describe("the schema accepts", () => {
	const accepted = readdirSync(`${ROOT}/${ACCEPTED}`).map(
		(name) => `${ACCEPTED}/${name}`,
	);
	for (const path of [...accepted, ...PIPELINES])
		test(path, () => assert.deepEqual(refusals(path), []));
});

describe("the schema refuses", () => {
	for (const [name, refused] of Object.entries(REFUSALS))
		test(name, () =>
			assert.deepEqual(refusals(`${MISTAKES}/${name}`), refused),
		);

	test("as listed, each file of mistakes that is TOML", () => {
		const names = readdirSync(`${ROOT}/${MISTAKES}`);
		assert.deepEqual(
			names.filter((name) => name !== "syntax.toml").sort(),
			Object.keys(REFUSALS).sort(),
		);
	});
});
