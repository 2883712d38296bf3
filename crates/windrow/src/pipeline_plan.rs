//! Renders the plan of a pipeline (source, windows, features, sink) as JSON, and parts of the plan as text.

use serde_json::json;
use windrow_core::{
    EmptyWindowPolicy, EpochUnit, EventSchema, Feature, FeatureView, Partitioner, TypeConversion, WindowKind,
    pane_size_ms,
};
use windrow_spec::login_redaction::redact_url_credentials_and_query;
use windrow_spec::{GroupProtocol, IdleTimeoutSpec, LostOffsetPolicy, Pipeline, RedisViewSpec, WatermarkSpec};

pub(crate) fn condition_sql(feature: &Feature, schema: &EventSchema) -> Option<String> {
    feature.condition.as_ref().map(|condition| condition.format_condition_as_sql(schema))
}

pub(crate) fn feature_default_as_json(feature: &Feature) -> Option<serde_json::Value> {
    use windrow_core::Literal;
    feature.default_value.as_ref().map(|default| match default {
        Literal::String(text) => json!(text),
        Literal::Double(number) => json!(number),
        Literal::Long(number) => json!(number),
        Literal::Boolean(truth) => json!(truth),
    })
}

fn describe_watermark(watermark: &WatermarkSpec) -> serde_json::Value {
    let (idle_timeout_ms, includes_history) = match watermark.idle_timeout {
        IdleTimeoutSpec::Off => (None, false),
        IdleTimeoutSpec::LivePartitions { timeout_ms } => (Some(timeout_ms), false),
        IdleTimeoutSpec::AllPartitions { timeout_ms } => (Some(timeout_ms), true),
    };
    json!({
        "max_out_of_orderness_ms": watermark.max_out_of_orderness_ms,
        "idle_timeout_ms": idle_timeout_ms,
        "idle_timeout_includes_history": includes_history,
        "max_future_ms": watermark.future_limit.max_future_ms(),
    })
}

/// Returns the plan as JSON. `windrow check --json` prints the plan, and the job's pages show it.
pub(crate) fn plan_as_json(pipeline: &Pipeline) -> serde_json::Value {
    let schema = &pipeline.event.schema;
    let view = |(view, redis): (&FeatureView, &RedisViewSpec)| {
        let window = match view.window {
            WindowKind::Sliding { size_ms, slide_ms } => {
                json!({ "sliding": { "size_ms": size_ms, "slide_ms": slide_ms, "pane_ms": pane_size_ms(size_ms, slide_ms) } })
            }
            WindowKind::Session { gap_ms } => json!({ "session": { "gap_ms": gap_ms } }),
        };
        let feature = |feature: &Feature| {
            json!({
                "name": feature.name,
                "aggregate": feature.aggregate.format_aggregate_as_sql(schema),
                "where": condition_sql(feature, schema),
                "default": feature_default_as_json(feature),
            })
        };
        json!({
            "name": view.name,
            "window": window,
            "allowed_lateness_ms": view.allowed_lateness_ms,
            "when_empty": match view.empty_window_policy {
                EmptyWindowPolicy::KeepRow => "keep",
                EmptyWindowPolicy::WriteZeros => "zero",
                EmptyWindowPolicy::DeleteRow => "delete",
            },
            "key": redis.key_template.to_string(),
            "ttl_ms": redis.ttl_ms,
            "features": view.features.iter().map(feature).collect::<Vec<_>>(),
        })
    };
    let field = |field: &windrow_core::EventField| json!({ "name": field.name, "type": field.field_type.type_name() });
    json!({
        "name": pipeline.name,
        "source": {
            "brokers": pipeline.source.kafka().brokers,
            "topic": pipeline.source.kafka().topic,
            "group": pipeline.source.kafka().consumer_group,
            "on_lost_offset": match pipeline.source.kafka().lost_offset_policy {
                LostOffsetPolicy::Halt => "halt",
                LostOffsetPolicy::Earliest => "earliest",
            },
            "on_partition_fault": pipeline.source.kafka().partition_fault_setting.name(),
            "on_misplaced": pipeline.source.kafka().misplaced_record_policy.name(),
            "partitioner": pipeline.source.kafka().partitioner.map(Partitioner::name),
            "group_protocol": match pipeline.source.kafka().group_protocol {
                GroupProtocol::Classic { .. } => "classic",
                GroupProtocol::Consumer => "consumer",
            },
            "session_timeout_ms": match pipeline.source.kafka().group_protocol {
                GroupProtocol::Classic { session_timeout_ms } => Some(session_timeout_ms),
                GroupProtocol::Consumer => None,
            },
        },
        "event": {
            "key": schema.entity_key_name(),
            "time": pipeline.event.time_field,
            "time_unit": pipeline.event.time_number_unit.map(EpochUnit::symbol),
            "time_format": pipeline.event.time_text_format,
            "time_zone": pipeline.event.time_zone_name(),
            "types": match pipeline.event.type_conversion {
                TypeConversion::Lenient => "lenient",
                TypeConversion::Strict => "strict",
            },
            "fields": schema.fields()[1..].iter().map(field).collect::<Vec<_>>(),
        },
        "watermark": describe_watermark(&pipeline.watermark),
        "checkpoint": {
            "every_ms": pipeline.checkpoint.checkpoint_interval_ms,
            "store": pipeline.checkpoint.checkpoint_store_url,
            "keep": pipeline.checkpoint.kept_generation_count,
            "savepoints": pipeline.checkpoint.http_savepoint_locations,
        },
        "sink": {
            "redis": redact_url_credentials_and_query(&pipeline.sink.redis().redis_url),
            "wait_replicas": pipeline.sink.redis().required_acknowledgement.replica_count,
            "wait_aof": pipeline.sink.redis().required_acknowledgement.requires_append_only_file,
        },
        "feature_views": pipeline.views_with_redis_specs().map(view).collect::<Vec<_>>(),
    })
}
