//! `windrow test`: the tests of the shipped pipeline, the differences that authors of tests read, and a property.

mod generated;

use serde_json::Value;

use crate::windrow::run;

const DIFFERENCES: &str = "crates/windrow/tests/cli/pipeline_tests/differences.toml";

#[test]
fn the_tests_of_the_shipped_pipeline_pass() {
    for args in [vec!["test", "pipelines/ecommerce.toml"], vec!["test"]] {
        let tested = run(args).expect(0);
        assert!(tested.text().ends_with("\n6 tests: 6 passed, 0 failed\n"), "{}", tested.text());
        assert_eq!(tested.text().matches('✓').count(), 6, "{}", tested.text());
        assert_eq!(tested.stderr, "");
    }
}

/// An override shows what a rule is good for: without tolerance for disorder, other events are late.
#[test]
fn overrides_apply_to_tests() {
    let tested = run(["test", "--set", "watermark.max_out_of_orderness=0s"]).expect(20);
    assert!(tested.text().contains("✗ the watermark is 10 s behind"), "{}", tested.text());
}

#[test]
fn every_kind_of_difference_is_explained() {
    let tested = run(["test", DIFFERENCES]).expect(20);
    assert_eq!(tested.stderr, "");
    insta::assert_snapshot!(tested.text());
}

#[test]
fn differences_as_json_name_their_kind_and_line() {
    let tested = run(["test", DIFFERENCES, "--json"]).expect(20);
    let report: Value = serde_json::from_str(tested.text()).expect("JSON");
    assert_eq!((&report["file"], &report["passed"], &report["failed"]), (&DIFFERENCES.into(), &1.into(), &11.into()));
    let tests = report["tests"].as_array().expect("a list");
    assert_eq!(tests[0]["name"], "other values");
    let lines: Vec<&str> = include_str!("pipeline_tests/differences.toml").lines().collect();
    let line_text = |value: &Value| lines[usize::try_from(value.as_u64().expect("a line")).expect("a line") - 1];
    assert_eq!(line_text(&tests[0]["line"]), "[[test]]");
    let first = &tests[0]["differences"][0];
    assert!(line_text(&first["line"]).starts_with("rows.hourly = [{ user = \"a\", window_start"));
    assert_eq!(first["kind"], "feature_values");
    assert_eq!(first["features"][0], serde_json::json!({ "feature": "events", "expected": "2", "actual": "1" }));
    let mut kinds: Vec<&str> = tests
        .iter()
        .flat_map(|test| test["differences"].as_array().expect("a list"))
        .map(|difference| difference["kind"].as_str().expect("a text"))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let all = [
        "dead_letter_reason",
        "feature_values",
        "missing_dead_letter",
        "missing_late_event",
        "missing_row",
        "unexpected_dead_letter",
        "unexpected_late_event",
        "unexpected_row",
    ];
    assert_eq!(kinds, all);
}

#[test]
fn a_filter_chooses_tests_by_name() {
    let tested = run(["test", "--filter", "session"]).expect(0);
    assert!(tested.text().ends_with("\n1 test: 1 passed, 0 failed\n"), "{}", tested.text());
    let none = run(["test", "--filter", "no such name"]).expect(2);
    assert_eq!(none.text(), "");
    none.expect_stderr(&["error: none of the 6 tests of pipelines/ecommerce.toml", "\"no such name\""]);
}

#[test]
fn a_file_without_tests_is_2_and_one_with_mistakes_3() {
    run(["test", "crates/windrow/tests/cli/windows/every_aggregate.toml"])
        .expect(2)
        .expect_stderr(&["every_aggregate.toml has no tests", "[[test]]"]);
    let mistakes = "crates/spec/tests/mistakes/tests.toml";
    let (tested, checked) = (run(["test", mistakes]).expect(3), run(["check", mistakes]).expect(3));
    assert_eq!(tested.stderr, checked.stderr, "other commands report mistakes in tests too");
}

#[test]
fn the_clock_closes_windows_while_no_record_comes() {
    let event = r#"{ user_id = "111", event_time = "2024-01-01T10:05:00", event_type = "view", price = 20.0 }"#;
    let row = r#"{ user_id = "111", window_end = "2024-01-01T10:10:00", view_count_1h = 1 }"#;
    let test = |name: &str, steps: &str, rows: &str| {
        format!("[[test]]\nname = \"{name}\"\nevents = [{steps}]\nrows.user_features = [{rows}]\n")
    };
    let tests = [
        test("too early", &format!("{event}, {{ at = \"2024-01-01T10:10:09.999\" }}"), ""),
        test("in time", &format!("{event}, {{ at = \"2024-01-01T10:10:10\" }}"), row),
        test("no event, no window", "{ at = \"2024-01-01T10:10:10\" }", ""),
        test("late", &format!("{event}, {{ at = \"2024-01-01T11:20:00\" }}, {event}"), "").replace(
            "rows.user_features = []\n",
            "late.user_features = [{ user_id = \"111\", event_time = \"2024-01-01T10:05:00\" }]\n\
             late.session_features = [{ user_id = \"111\", event_time = \"2024-01-01T10:05:00\" }]\n",
        ),
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clock.toml");
    let shipped = include_str!("../../../../pipelines/ecommerce.toml");
    std::fs::write(&path, format!("{shipped}\n{}", tests.join("\n"))).expect("the file is written");
    let tested = run(["test", path.to_str().expect("UTF-8")]).expect(0);
    assert!(tested.text().ends_with("\n10 tests: 10 passed, 0 failed\n"), "{}", tested.text());
}
