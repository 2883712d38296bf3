//! `windrow check`: prints the plan of a pipeline file, or every mistake with its place.

use serde_json::Value;

use crate::windrow::{FinishedCommand, run};

/// It has an unknown field, an unknown type, an invalid duration, a missing TTL, and an undeclared field.
const FIVE_MISTAKES: &str = "crates/spec/tests/mistakes/five.toml";
/// Line and column of each mistake.
const PLACES: [(u64, u64); 5] = [(5, 1), (13, 14), (16, 24), (21, 1), (25, 41)];

fn parse_json(finished: &FinishedCommand) -> Value {
    serde_json::from_slice(&finished.stdout).expect("standard output is JSON")
}

#[test]
fn the_shipped_pipelines_plan_is_printed() {
    let checked = run(["check", "pipelines/ecommerce.toml"]).expect(0);
    insta::assert_snapshot!(checked.text());
    assert_eq!(checked.stderr, "");
    let built_in = run(["check"]).expect(0);
    assert_eq!(built_in.text(), checked.text(), "the pipeline that is built in is the shipped one");
}

#[test]
fn the_plan_as_json() {
    let checked = run(["check", "pipelines/ecommerce.toml", "--json"]).expect(0);
    parse_json(&checked);
    insta::assert_snapshot!(checked.text());
    assert_eq!(checked.stderr, "");
}

#[test]
fn five_mistakes_are_printed_with_their_places() {
    let checked = run(["check", FIVE_MISTAKES]).expect(3);
    assert_eq!(checked.text(), "", "mistakes are no data");
    for (line, column) in PLACES {
        assert!(checked.stderr.contains(&format!("five.toml:{line}:{column}\n")), "{}", checked.stderr);
    }
    insta::assert_snapshot!(checked.stderr);
}

#[test]
fn five_mistakes_as_json_have_line_and_column() {
    let checked = run(["check", FIVE_MISTAKES, "--json"]).expect(3);
    let listed = parse_json(&checked);
    assert_eq!(listed["file"], FIVE_MISTAKES);
    let number = |mistake: &Value, name: &str| mistake["place"][name].as_u64().expect("a number");
    let mistakes = listed["mistakes"].as_array().expect("a list");
    let places: Vec<_> = mistakes.iter().map(|one| (number(one, "line"), number(one, "column"))).collect();
    assert_eq!(places, PLACES);
    for mistake in mistakes {
        for member in ["code", "message", "expected"] {
            assert!(mistake[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {mistake}");
        }
    }
}

#[test]
fn every_command_that_takes_a_pipeline_refuses_one_with_mistakes_alike() {
    let said = run(["check", FIVE_MISTAKES]).expect(3).stderr;
    for args in [
        vec!["run", FIVE_MISTAKES],
        vec!["replay", FIVE_MISTAKES, "--input", "-", "--output", "-"],
        vec!["demo", FIVE_MISTAKES],
        vec!["features", "111", "--pipeline", FIVE_MISTAKES],
        vec!["generate", "--count", "1", "--pipeline", FIVE_MISTAKES],
    ] {
        let refused = run(&args).expect(3);
        assert_eq!((refused.stderr.as_str(), refused.text()), (said.as_str(), ""), "{args:?}");
    }
}

#[test]
fn a_password_in_the_redis_address_is_not_shown() {
    let secret = ["--set", "sink.redis.url=redis://user:hunter2@redis:6379"];
    for format in [None, Some("--json")] {
        let args = ["check"].into_iter().chain(secret).chain(format);
        let checked = run(args).expect(0);
        assert!(checked.text().contains("redis:6379"), "{}", checked.text());
        assert!(!checked.text().contains("hunter2"), "{}", checked.text());
    }
}

#[test]
fn an_override_is_in_the_plan() {
    let checked = run(["check", "--json", "--set", "watermark.max_out_of_orderness=2m"]).expect(0);
    assert_eq!(parse_json(&checked)["watermark"]["max_out_of_orderness_ms"], 120_000);
}

#[test]
fn a_name_with_a_dot_is_said_to_be_no_path() {
    let set = ["--set", "event.time=meta.time", "--set", "event.fields.\"payload.price\"=double"];
    let checked = run(["check"].iter().chain(&set[..2])).expect(0);
    assert!(checked.text().contains("`meta.time` is one member whose name contains a dot, not a path into an object"));
    let checked = run(["check"].iter().chain(&set)).expect(0);
    let note = "`payload.price`, `meta.time` are members whose names contain dots, not paths into objects";
    assert!(checked.text().contains(note), "{}", checked.text());
}
