//! `windrow check`: prints the plan of a pipeline file, or every mistake with its place.

use std::fs;

use serde_json::Value;

use crate::state::{JOB, PIPELINE, SAVEPOINT, StateCopy};
use crate::windrow::{FinishedCommand, project_root, run};

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

/// Writes the pipeline of the kept state with `changes`, pairs of a text and its replacement, and returns its path.
fn write_changed_pipeline(copy: &StateCopy, changes: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(project_root().join(PIPELINE)).expect("a pipeline");
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    let changed = copy.path_of("changed.toml");
    fs::write(&changed, text).expect("written");
    changed.display().to_string()
}

/// The definitions are compared with the text in manifests of the first format.
#[test]
fn stored_state_is_compared_with_a_changed_pipeline() {
    let copy = StateCopy::create();
    let changes = [
        (
            "page_kinds = { count_distinct = \"page\" }\npage_min   =",
            "kinds = { count_distinct = \"page\" }\nfirst_page =",
        ),
        (
            "page_max   = { max = \"page\" }\n",
            "page_max   = { max = \"page\", where = \"member\" }\nvisits = { count = \"*\" }\n",
        ),
        ("page_last  = { last = \"page\" }\n", ""),
        ("size = \"30m\"", "size = \"1h\""),
        ("gap = \"2m\"", "gap = \"3m\""),
        ("feature_view.tumbling", "feature_view.renamed"),
    ];
    let changed = write_changed_pipeline(&copy, &changes);
    let before = copy.files();
    let compared = run(["check", &changed, "--against", &copy.path_text(JOB)]).expect(14).expect_stderr(&[
        "--drop-state tumbling --drop-state sliding.page_max --drop-state sliding.page_last --drop-state session",
    ]);
    insta::assert_snapshot!(copy.redact_store(compared.text()));
    let compared = run(["check", &changed, "--against", &copy.path_text(JOB), "--json"]).expect(14);
    parse_json(&compared);
    insta::assert_snapshot!(copy.redact_store(compared.text()));
    assert_eq!(copy.files(), before, "nothing is changed");
}

#[test]
fn a_comparison_without_a_loss_ends_with_0() {
    let copy = StateCopy::create();
    let changed =
        write_changed_pipeline(&copy, &[("page_min   =", "smallest_page ="), ("ttl = \"1h\"", "ttl = \"2h\"")]);
    // A job's folder, a savepoint, and the checkpoint store that contains the job's folder.
    for place in [copy.path_text(JOB), copy.path_text(SAVEPOINT), copy.path_text("")] {
        let compared = run(["check", &changed, "--against", &place]).expect(0);
        assert!(compared.text().contains("renamed, was page_min"), "{}", compared.text());
        assert_eq!(compared.stderr, "");
    }
}

#[test]
fn state_that_cannot_be_compared_has_an_exit_code() {
    let copy = StateCopy::create();
    let against = |pipeline: &str, place: &str| run(["check", pipeline, "--against", place]);
    against(FIVE_MISTAKES, &copy.path_text(JOB)).expect(3);
    against("pipelines/ecommerce.toml", &copy.path_text(JOB)).expect(13).expect_stderr(&["belongs to pipeline"]);
    against(PIPELINE, &copy.path_text("nowhere")).expect(13).expect_stderr(&["there is no state in"]);
    against(PIPELINE, PIPELINE).expect(17);
    // An older checkpoint of the partition is readable.
    copy.flip_bit(&format!("{JOB}/partition-1/checkpoint/0000000001-0000000004"));
    against(PIPELINE, &copy.path_text(JOB)).expect(0);
    copy.flip_bit(&format!("{JOB}/partition-1/checkpoint/0000000001-0000000002"));
    against(PIPELINE, &copy.path_text(JOB)).expect(16).expect_stderr(&["2 of 4 checkpoints in"]);
    fs::remove_file(copy.path_of(&format!("{SAVEPOINT}/savepoint"))).expect("removed");
    against(PIPELINE, &copy.path_text(SAVEPOINT)).expect(16).expect_stderr(&["is incomplete"]);
}
