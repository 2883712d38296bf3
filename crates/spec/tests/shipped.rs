//! The shipped pipeline file has the content that the design prescribes.

#![expect(clippy::panic, reason = "a refused pipeline fails the test with its rendered mistakes")]

use windrow_core::{
    Aggregate, ComparisonOperator, Condition, DurationUnit, EventTime, Feature, FieldId, FieldType, Literal, Operand,
    TypeConversion, Window, WindowKind,
};
use windrow_spec::{CheckpointSpec, KeySegment, Pipeline, SHIPPED_PIPELINE, StartPosition, parse};

fn shipped_pipeline() -> Pipeline {
    parse("pipelines/ecommerce.toml", SHIPPED_PIPELINE, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn event_type_is(value: &str) -> Option<Condition> {
    let value = Operand::Literal(Some(Literal::String(value.into())));
    Some(Condition::Compare(Operand::Field(FieldId(1)), ComparisonOperator::Equal, value))
}

#[test]
fn source_event_and_sink() {
    let pipeline = shipped_pipeline();
    assert_eq!(pipeline.name, "ecommerce");
    assert_eq!(pipeline.source.kafka().brokers, "localhost:9092");
    assert_eq!(pipeline.source.kafka().topic, "ecommerce-events");
    assert_eq!(pipeline.source.kafka().consumer_group, "feature-engineering-group");
    assert_eq!(pipeline.source.kafka().start_position, StartPosition::Earliest);
    let fields: Vec<_> = pipeline.event.schema.fields().iter().map(|field| (&*field.name, field.field_type)).collect();
    assert_eq!(
        fields,
        [("user_id", FieldType::String), ("event_type", FieldType::String), ("price", FieldType::Double)]
    );
    assert_eq!(pipeline.event.time_field, "event_time");
    assert_eq!(pipeline.event.time_zone, jiff::tz::TimeZone::UTC);
    assert_eq!(pipeline.event.max_key_bytes, 1_024);
    assert_eq!(pipeline.event.type_conversion, TypeConversion::Lenient);
    assert_eq!(pipeline.watermark.max_out_of_orderness_ms, 10_000);
    let checkpoint = CheckpointSpec {
        checkpoint_interval_ms: 30_000,
        checkpoint_store_url: "file:./.windrow/checkpoints".to_owned(),
        kept_generation_count: 3,
        http_savepoint_locations: Vec::new(),
    };
    assert_eq!(pipeline.checkpoint, checkpoint);
    assert_eq!(pipeline.sink.redis().redis_url, "redis://localhost:6379");
    assert_eq!(pipeline.dead_letters, None);
}

#[test]
fn user_features() {
    let pipeline = shipped_pipeline();
    let (view, redis) = pipeline.views_with_redis_specs().next().expect("a view");
    assert_eq!(&*view.name, "user_features");
    assert_eq!(view.window, WindowKind::Sliding { size_ms: 3_600_000, slide_ms: 600_000 });
    assert_eq!(redis.ttl_ms, 7_200_000);
    assert!(!redis.key_template.has_window_placeholder());
    assert_eq!(redis.key_template.to_string(), "user_features:{user_id}");
    let count = |name: &str, value| Feature {
        name: name.into(),
        aggregate: Aggregate::Count,
        condition: event_type_is(value),
        default_value: None,
    };
    let average = Feature {
        name: "avg_viewed_price_1h".into(),
        aggregate: Aggregate::Avg(FieldId(2)),
        condition: event_type_is("view"),
        default_value: Some(Literal::Double(0.0)),
    };
    assert_eq!(
        view.features,
        [
            count("view_count_1h", "view"),
            count("cart_count_1h", "cart"),
            count("purchase_count_1h", "purchase"),
            average
        ]
    );
}

#[test]
fn session_features() {
    let pipeline = shipped_pipeline();
    assert_eq!(pipeline.views.len(), 2);
    let (view, redis) = pipeline.views_with_redis_specs().nth(1).expect("two views");
    assert_eq!(&*view.name, "session_features");
    assert_eq!(view.window, WindowKind::Session { gap_ms: 600_000 });
    assert_eq!(redis.ttl_ms, 3_600_000);
    let names: Vec<_> = view.features.iter().map(|one| (&*one.name, one.aggregate)).collect();
    assert_eq!(
        names,
        [("event_count", Aggregate::Count), ("duration_seconds", Aggregate::Duration(DurationUnit::Seconds))]
    );
    assert_eq!(
        redis.key_template.segments(),
        [
            KeySegment::Literal("session_features:".to_owned()),
            KeySegment::EntityKey,
            KeySegment::Literal(":".to_owned()),
            KeySegment::WindowStart
        ]
    );
    let mut key = Vec::new();
    redis.key_template.append_redis_key(
        &mut key,
        "111",
        Window { start: EventTime::from_ms(1_704_103_200_000), end: EventTime::from_ms(0) },
    );
    assert_eq!(key, b"session_features:111:1704103200000");
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = r#"
        name = "p"
        source.kafka = { brokers = "b:9092", topic = "t", group = "g" }
        event = { key = "id", time = "at" }
        watermark.max_out_of_orderness = "0s"
        sink.redis.url = "redis://h"
        feature_view.f = { window.tumbling.size = "1d", key = "f:{id}", ttl = "1w", features.n.count = "*" }
    "#;
    let pipeline = parse("p.toml", text, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let full = shipped_pipeline();
    assert_eq!(pipeline.source.kafka().start_position, full.source.kafka().start_position);
    assert_eq!(pipeline.checkpoint, full.checkpoint);
    assert_eq!(pipeline.event.time_zone, full.event.time_zone);
    assert_eq!(pipeline.event.max_key_bytes, full.event.max_key_bytes);
    assert_eq!(pipeline.watermark.max_out_of_orderness_ms, 0);
    let day = 86_400_000;
    assert_eq!(pipeline.views[0].window, WindowKind::Sliding { size_ms: day, slide_ms: day });
}

#[test]
fn a_password_is_not_in_debug_output() {
    let text = SHIPPED_PIPELINE.replace("redis://localhost", "redis://:hunter2@localhost");
    let pipeline = parse("p.toml", &text, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(pipeline.sink.redis().redis_url, "redis://:hunter2@localhost:6379");
    let shown = format!("{pipeline:?}");
    assert!(shown.contains("redis://***@localhost:6379") && !shown.contains("hunter2"), "{shown}");
}
