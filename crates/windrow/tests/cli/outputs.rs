//! Standard output carries data, and standard error carries messages. Off a terminal neither has colour codes.

use crate::windrow::{FinishedCommand, run, run_with_input};

const EVENTS: &str = include_str!("../conformance/notebook.events.jsonl");

fn every_kind_of_output() -> Vec<FinishedCommand> {
    vec![
        run_with_input(["replay", "--input", "-", "--output", "-", "--verbose"], format!("{EVENTS}no event\n"))
            .expect(0),
        run(["generate", "--to", "-", "--count", "3"]).expect(0),
        run(["check"]).expect(0),
        run(["check", "crates/spec/tests/mistakes/five.toml"]).expect(3),
        run(["--help"]).expect(0),
        run(["replay", "--input", "-"]).expect(2),
        run(["replay", "--input", "no/such/file", "--output", "-"]).expect(4),
    ]
}

#[test]
fn there_are_no_colour_codes_off_a_terminal() {
    for finished in every_kind_of_output() {
        for text in [finished.text(), &finished.stderr] {
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }
}

#[test]
fn replay_writes_rows_to_standard_output_and_the_rest_to_standard_error() {
    let replayed = run_with_input(["replay", "--input", "-", "--output", "-"], format!("{EVENTS}no event\n")).expect(0);
    for line in replayed.text().lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        assert!(row["feature_view"].is_string(), "{line}");
    }
    let rows = |view: &str| {
        let rows = replayed.text().matches(&format!("\"feature_view\":\"{view}\"")).count();
        format!("{view}: {rows} rows, 0 late event")
    };
    let (sliding, session) = (rows("user_features"), rows("session_features"));
    let records = format!("{} records in ", EVENTS.lines().count() + 1);
    replayed.expect_stderr(&["dead letter", &records, " 1 dead letter", &sliding, &session]);
}

#[test]
fn replay_to_a_file_leaves_standard_output_empty() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let output = folder.path().join("rows.jsonl");
    let replayed = run_with_input(["replay", "--input", "-", "--output", &output.to_string_lossy()], EVENTS).expect(0);
    assert_eq!(replayed.text(), "");
}

#[test]
fn generate_writes_events_to_standard_output_and_the_rest_to_standard_error() {
    let generated = run(["generate", "--to", "-", "--count", "3"]).expect(0);
    assert_eq!(generated.text().lines().filter(|line| line.starts_with("{\"event_time\":")).count(), 3);
    assert_eq!(generated.text().lines().count(), 3);
    generated.expect_stderr(&["3 events to standard output in "]);
}

#[test]
fn log_lines_are_objects_where_that_is_asked_for() {
    let arguments = ["replay", "--input", "-", "--output", "-", "--log-format", "json"];
    let replayed = run_with_input(arguments, format!("{EVENTS}no event\n")).expect(0);
    let log: Vec<serde_json::Value> =
        replayed.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [letter] = &log[..] else { panic!("one line: {}", replayed.stderr) };
    assert_eq!((&letter["level"], &letter["fields"]["message"]), (&"WARN".into(), &"dead letter".into()));
    assert!(letter["timestamp"].is_string() && letter["target"].is_string(), "{letter}");
    assert!(letter["fields"]["reason"].as_str().is_some_and(|reason| reason.contains("JSON")), "{letter}");
    run(["replay", "--input", "-", "--output", "-", "--log-format", "xml"]).expect(2).expect_stderr(&["text", "json"]);
}
