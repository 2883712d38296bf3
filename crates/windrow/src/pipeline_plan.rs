//! The plan of a pipeline as JSON, and its parts as text.

use serde_json::json;
use windrow_core::{EventSchema, Feature, WindowKind};
use windrow_spec::{GroupProtocol, LostOffsetPolicy, Pipeline, ViewSpec};
use windrow_web::secrets::redact_url_login;

pub(crate) fn pane_ms(size_ms: i64, slide_ms: i64) -> i64 {
    let (mut a, mut b) = (size_ms, slide_ms);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

pub(crate) fn condition_sql(feature: &Feature, schema: &EventSchema) -> Option<String> {
    feature.condition.as_ref().map(|condition| condition.to_sql(schema))
}

pub(crate) fn default_as_json(feature: &Feature) -> Option<serde_json::Value> {
    use windrow_core::Literal;
    feature.default.as_ref().map(|default| match default {
        Literal::String(text) => json!(text),
        Literal::Double(number) => json!(number),
        Literal::Long(number) => json!(number),
        Literal::Boolean(truth) => json!(truth),
    })
}

/// Renders the plan that `windrow check --json` prints and the job's pages show.
pub(crate) fn plan_as_json(pipeline: &Pipeline) -> serde_json::Value {
    let schema = &pipeline.event.schema;
    let view = |view: &ViewSpec| {
        let window = match view.feature_view.window {
            WindowKind::Sliding { size_ms, slide_ms } => {
                json!({ "sliding": { "size_ms": size_ms, "slide_ms": slide_ms, "pane_ms": pane_ms(size_ms, slide_ms) } })
            }
            WindowKind::Session { gap_ms } => json!({ "session": { "gap_ms": gap_ms } }),
        };
        let feature = |feature: &Feature| {
            json!({
                "name": feature.name,
                "aggregate": feature.aggregate.describe(schema),
                "where": condition_sql(feature, schema),
                "default": default_as_json(feature),
            })
        };
        json!({
            "name": view.feature_view.name,
            "window": window,
            "key": view.key.to_string(),
            "ttl_ms": view.ttl_ms,
            "features": view.feature_view.features.iter().map(feature).collect::<Vec<_>>(),
        })
    };
    let field = |field: &windrow_core::EventField| json!({ "name": field.name, "type": field.field_type.name() });
    json!({
        "name": pipeline.name,
        "source": {
            "brokers": pipeline.source.brokers,
            "topic": pipeline.source.topic,
            "group": pipeline.source.group,
            "on_lost_offset": match pipeline.source.on_lost_offset {
                LostOffsetPolicy::Halt => "halt",
                LostOffsetPolicy::Earliest => "earliest",
            },
            "group_protocol": match pipeline.source.group_protocol {
                GroupProtocol::Classic { .. } => "classic",
                GroupProtocol::Consumer => "consumer",
            },
            "session_timeout_ms": match pipeline.source.group_protocol {
                GroupProtocol::Classic { session_timeout_ms } => Some(session_timeout_ms),
                GroupProtocol::Consumer => None,
            },
        },
        "event": {
            "key": schema.key_name(),
            "time": pipeline.event.time_field,
            "time_zone": pipeline.event.time_zone.iana_name(),
            "fields": schema.fields()[1..].iter().map(field).collect::<Vec<_>>(),
        },
        "watermark": { "max_out_of_orderness_ms": pipeline.watermark.max_out_of_orderness_ms },
        "checkpoint": {
            "every_ms": pipeline.checkpoint.interval_ms,
            "store": pipeline.checkpoint.store,
            "keep": pipeline.checkpoint.kept_generations,
        },
        "sink": { "redis": redact_url_login(&pipeline.sink.url) },
        "feature_views": pipeline.views.iter().map(view).collect::<Vec<_>>(),
    })
}
