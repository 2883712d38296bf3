//! `--set path.to.field=value`, from the text to the pipeline.

use windrow_core::Literal;
use windrow_spec::{
    DiagnosticPlace, Diagnostics, Pipeline, PipelineOverride, RejectDestination, RenderStyle, SHIPPED_PIPELINE,
    StartPosition, parse,
};

fn parse_with_overrides(overrides: &[&str]) -> Result<Pipeline, Diagnostics> {
    let overrides: Vec<PipelineOverride> = overrides.iter().map(|one| one.parse().expect(one)).collect();
    parse("pipelines/ecommerce.toml", SHIPPED_PIPELINE, &overrides)
}

fn render_mistakes(overrides: &[&str]) -> String {
    parse_with_overrides(overrides).expect_err("a mistake").render(RenderStyle::Plain)
}

#[test]
fn values_are_replaced_added_and_read_as_what_they_are() {
    let pipeline = parse_with_overrides(&[
        "source.kafka.brokers=kafka-1:9092,kafka-2:9092",
        "source.kafka.start=latest",
        "name=2024", // text in the file, so text here
        "event.max_key_bytes=64",
        "checkpoint.every=5s",
        "dead_letters.topic=dead",
        "feature_view.user_features.window.sliding.slide=30m",
        "feature_view.user_features.features.avg_viewed_price_1h.default=-1",
        "feature_view.session_features.features.total={ sum = \"price\" }",
        "source.kafka.group='a group'",
        "feature_view.session_features.ttl=1h",
        "feature_view.session_features.ttl=3h", // the last one counts
    ])
    .expect("no mistakes");
    assert_eq!(pipeline.source.kafka().brokers, "kafka-1:9092,kafka-2:9092");
    assert_eq!(pipeline.source.kafka().start_position, StartPosition::Latest);
    assert_eq!(pipeline.source.kafka().consumer_group, "a group");
    assert_eq!(pipeline.name, "2024");
    assert_eq!(pipeline.event.max_key_bytes, 64);
    assert_eq!(pipeline.checkpoint.checkpoint_interval_ms, 5_000);
    assert_eq!(pipeline.dead_letters, Some(RejectDestination::Topic("dead".to_owned())));
    assert_eq!(pipeline.views[0].features[3].default_value, Some(Literal::Double(-1.0)));
    assert_eq!(&*pipeline.views[1].features[2].name, "total");
    assert_eq!(pipeline.sink.redis().redis_view_specs[1].ttl_ms, 3 * 3_600_000);
}

#[test]
fn mistakes_are_placed_at_their_override() {
    let found = parse_with_overrides(&["source.kafka.start=never"]).expect_err("a mistake");
    let places: Vec<&DiagnosticPlace> = found.iter().map(|one| &one.place).collect();
    assert_eq!(places, [&DiagnosticPlace::Override { path: "source.kafka.start".to_owned() }]);
}

#[test]
fn all_mistakes_of_overrides_are_shown() {
    insta::assert_snapshot!(render_mistakes(&[
        "source.kafka.start=erliest",
        "source.kafka.grup=x",
        "name.first=x",
        "feature_view.user_feature.ttl=1h",
        "checkpoint.every=5",
        "feature_view.session_features.key=user_features:{user_id}",
        "feature_view.user_features.features.more={ count = \"*\", where = \"pric > 1\" }",
        "event.max_key_bytes=99999999999999999999",
        "dead_letters.topic=5",
        "sink.redis.url=http://:hunter2@redis",
    ]));
}

#[test]
fn a_path_given_by_hand_is_checked_too() {
    let one = PipelineOverride { path: "a b".to_owned(), value: "1".to_owned() };
    let rendered = parse("p.toml", SHIPPED_PIPELINE, &[one]).expect_err("a mistake").render(RenderStyle::Plain);
    assert!(rendered.contains("bad-override") && rendered.contains("--set a b"), "{rendered}");
}
