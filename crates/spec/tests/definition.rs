//! Views and conditions as text: the core's text for what the reader has read.

use windrow_core::{Condition, EventSchema};
use windrow_spec::{Pipeline, SHIPPED_PIPELINE, parse};

/// A condition's SQL, read again, is the same condition.
#[test]
fn a_condition_reads_back_as_the_same() {
    for text in [
        "event_type = 'view'",
        "price >= -1.5 AND event_type <> 'it''s'",
        "NOT (event_type IN ('a', 'b') OR price IS NULL) AND user_id < 'm'",
        "price < 3 OR price > 5 AND event_type IS NOT NULL",
    ] {
        let (read, schema) = compile_condition(text);
        let shown = read.format_condition_as_sql(&schema);
        assert_eq!(compile_condition(&shown).0, read, "{text} was shown as {shown}");
    }
}

/// State survives an upgrade only while these texts do not change. Do not fix a failure here by updating the texts: the
/// failure means that an upgrade would drop the state of all users.
#[test]
fn definitions_are_for_ever() {
    let definitions = |pipeline: Pipeline| -> Vec<String> {
        let schema = &pipeline.event.schema;
        pipeline.views.iter().map(|view| view.definition_text(schema)).collect()
    };
    let shipped = parse("shipped", SHIPPED_PIPELINE, &[]).expect("the shipped pipeline");
    let all =
        [r#"feature_view.all={ window.tumbling = { size = "1h" }, key = "all:{user_id}", ttl = "1h", features = {
            a = { count = "*" }, b = { count = "price" }, c = { sum = "price" }, d = { avg = "price", default = 0.0 },
            e = { min = "event_type" }, f = { max = "price", where = "price > 1.5 OR event_type IN ('x', 'y''s')" },
            g = { first = "price" }, h = { last = "event_type", where = "NOT (price IS NULL) AND event_type <> 'z'" },
            i = { count_distinct = "event_type" }, j = { duration = "seconds" }, k = { duration = "minutes" },
            l = { duration = "milliseconds" } } }"#];
    let all = all.map(|text| text.replace('\n', " ").parse().expect("an override"));
    let all = parse("all", SHIPPED_PIPELINE, &all).expect("every aggregate");
    assert_eq!(
        definitions(shipped),
        [
            "sliding(3600000, 600000) of user_id [view_count_1h: count(*) where event_type = 'view'; \
             cart_count_1h: count(*) where event_type = 'cart'; \
             purchase_count_1h: count(*) where event_type = 'purchase'; \
             avg_viewed_price_1h: double avg(price) where event_type = 'view']",
            "session(600000) of user_id [event_count: count(*); duration_seconds: duration in seconds]",
        ]
    );
    assert_eq!(
        definitions(all)[2],
        "sliding(3600000, 3600000) of user_id [a: count(*); b: double count(price); c: double sum(price); \
         d: double avg(price); e: string min(event_type); \
         f: double max(price) where price > 1.5 OR event_type IN ('x', 'y''s'); g: double first(price); \
         h: string last(event_type) where NOT (price IS NULL) AND event_type <> 'z'; i: string count_distinct(event_type); \
         j: duration in seconds; k: duration in minutes; l: duration in milliseconds]"
    );
}

/// A view without allowed lateness keeps the text of the versions before this setting. Another lateness is another view.
#[test]
fn allowed_lateness_is_part_of_the_definition() {
    let definitions = |lateness: &str| -> Vec<String> {
        let lateness = ["user_features", "session_features"]
            .map(|view| format!("feature_view.{view}.allowed_lateness=\"{lateness}\"").parse().expect("an override"));
        let pipeline = parse("lateness", SHIPPED_PIPELINE, &lateness).expect("a lateness");
        pipeline.views.iter().map(|view| view.definition_text(&pipeline.event.schema)).collect()
    };
    let without = parse("shipped", SHIPPED_PIPELINE, &[]).expect("the shipped pipeline");
    let without = without.views.iter().map(|view| view.definition_text(&without.event.schema));
    assert_eq!(definitions("0s"), without.collect::<Vec<_>>());
    let with = definitions("1h");
    assert!(
        with[0].starts_with("sliding(3600000, 600000) with lateness(3600000) of user_id [view_count_1h: "),
        "{with:?}"
    );
    assert!(with[1].starts_with("session(600000) with lateness(3600000) of user_id [event_count: "), "{with:?}");
}

fn compile_condition(text: &str) -> (Condition, EventSchema) {
    let feature = format!("feature_view.user_features.features.view_count_1h={{ count = \"*\", where = {text:?} }}");
    let pipeline = parse("test", SHIPPED_PIPELINE, &[feature.parse().expect("an override")]).expect(text);
    let condition = pipeline.views[0].features[0].condition.clone();
    (condition.expect("a condition"), pipeline.event.schema)
}
