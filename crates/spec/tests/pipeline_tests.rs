//! `[[test]]`: what the reader makes of it, with overrides and without secrets.

#![expect(clippy::panic, reason = "a refused file fails the test with its rendered mistakes")]

use windrow_core::{EventTime, Literal, ViewId};
use windrow_spec::{
    ExpectedFeature, ExpectedTestRow, ExpectedViewRows, Pipeline, PipelineOverride, SHIPPED_PIPELINE, TestStep, parse,
    parse_for_tests,
};

fn overrides(texts: &[&str]) -> Vec<PipelineOverride> {
    texts.iter().map(|text| text.parse().expect("an override")).collect()
}

fn read(text: &str) -> Pipeline {
    parse_for_tests("p.toml", text, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn an_event_becomes_json_with_its_members_in_order() {
    let test = r#"
        [[test]]
        name = "json"
        events = [
            { user_id = "a\u0001\"", event_time = 1, price = 1_000.5, z = [true, 2], a = { b = -1 } },
            '{"a": 1}',
            { at = "2024-01-01T10:00:00" },
        ]
    "#;
    let pipeline = read(&format!("{SHIPPED_PIPELINE}{test}"));
    let last = pipeline.tests.last().expect("a test");
    let records = [r#"{"user_id":"a\u0001\"","event_time":1,"price":1000.5,"z":[true,2],"a":{"b":-1}}"#, r#"{"a": 1}"#];
    let clock = TestStep::ClockTime(EventTime::from_ms(1_704_103_200_000));
    let steps = records.map(|record| TestStep::Record(record.to_owned())).into_iter().chain([clock]);
    assert_eq!(last.steps, steps.collect::<Vec<_>>());
}

#[test]
fn times_without_an_offset_are_in_the_time_zone_of_the_events() {
    let test = r#"
        [[test]]
        name = "zone"
        events = []
        rows.session_features = [{ user_id = 111, window_start = "2024-01-01T10:00:00", event_count = 2 }]
    "#;
    let text = format!("{SHIPPED_PIPELINE}{test}").replace("time_zone = \"UTC\"", "time_zone = \"Asia/Seoul\"");
    let pipeline = read(&text);
    let last = pipeline.tests.last().expect("a test");
    let line = Some(text.lines().position(|line| line.contains("user_id = 111")).expect("the row") + 1);
    let features = vec![ExpectedFeature { feature_index: 0, value: Some(Literal::Long(2)) }];
    let window_start = Some(EventTime::from_ms(1_704_103_200_000 - 9 * 3_600_000));
    let row = ExpectedTestRow { line, entity_key: "111".to_owned(), window_start, window_end: None, features };
    assert_eq!(last.expected_rows, [ExpectedViewRows { view_id: ViewId(1), rows: vec![row] }]);
}

/// An override of a view is for one run. It must not make the tests of the file mistakes.
#[test]
fn an_override_of_the_event_or_a_view_leaves_the_tests_out() {
    let features = "feature_view.user_features.features={ n = { count = \"*\" } }";
    let pipeline = parse("p.toml", SHIPPED_PIPELINE, &overrides(&[features])).expect("a pipeline");
    assert_eq!(pipeline.tests, []);
    let mistakes = parse_for_tests("p.toml", SHIPPED_PIPELINE, &overrides(&[features])).expect_err("unknown features");
    assert!(
        mistakes.iter().any(|one| one.message == "unknown member `view_count_1h` for `user_features`"),
        "{mistakes}"
    );
    let other = overrides(&["source.kafka.brokers=kafka:9092"]);
    assert!(parse("p.toml", SHIPPED_PIPELINE, &other).expect("a pipeline").tests.len() > 5);
}

#[test]
fn tests_need_no_secret() {
    let settings = "url = \"${REDIS_URL}\"\nuser = \"${REDIS_USER}\"\npassword = { file = \"/run/secrets/redis\" }";
    let text = SHIPPED_PIPELINE.replace("url = \"redis://localhost:6379\"", settings);
    assert_ne!(text, SHIPPED_PIPELINE);
    parse("p.toml", &text, &[]).expect_err("a job needs the secrets");
    assert!(read(&text).tests.len() > 5);
}
