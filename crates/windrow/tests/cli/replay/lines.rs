//! Formats of input lines, and numbers as event times.

use std::fs;

use tempfile::TempDir;

use super::{replay, rows_of};
use crate::windrow::run;

const EVENTS: &str = include_str!("../../conformance/boundaries.events.jsonl");

#[test]
fn line_ends_do_not_matter() {
    let rows = replay(EVENTS, &[]);
    assert!(!rows.text().is_empty());
    for (kind, same) in [
        ("CRLF", EVENTS.replace('\n', "\r\n")),
        ("no newline at the end", EVENTS.trim_end().to_owned()),
        ("CRLF, none at the end", EVENTS.trim_end().replace('\n', "\r\n")),
        ("a byte order mark in front", format!("\u{feff}{EVENTS}")),
        ("a byte order mark in front of each line", EVENTS.lines().map(|line| format!("\u{feff}{line}\n")).collect()),
        ("white space around", EVENTS.lines().map(|line| format!(" \t{line}  \n")).collect()),
    ] {
        let replayed = replay(same, &[]);
        assert_eq!(replayed.text(), rows.text(), "{kind}");
        replayed.expect_stderr(&[" 0 dead letter"]);
    }
}

#[test]
fn an_empty_file_gives_an_empty_file() {
    let folder = TempDir::new().expect("a folder");
    let (input, output) = (folder.path().join("events.jsonl"), folder.path().join("rows.jsonl"));
    fs::write(&input, "").expect("an empty file");
    fs::write(&output, "of last time").expect("a file");
    run(["replay", "--input", &input.to_string_lossy(), "--output", &output.to_string_lossy()])
        .expect(0)
        .expect_stderr(&["0 record", " 0 dead letter", "user_features: 0 rows"]);
    assert_eq!(fs::read_to_string(output).expect("it is there"), "");
}

/// Offsets are line numbers from 0, also where lines cross the ends of buffers.
#[test]
fn lines_that_span_buffers_are_whole() {
    let long = |user: &str, bytes: usize| {
        format!("{{\"event_time\":0,\"pad\":\"{}\",\"user_id\":\"{user}\"}}\n", "x".repeat(bytes))
    };
    // The lines fill several buffers of one mebibyte. The third line begins one byte before the end of the first buffer.
    let first = long("a", 600_000);
    let second = long("b", 1024 * 1024 - 1 - first.len() - long("b", 0).len());
    let lines = format!("{first}{second}{}{}{}", long("c", 1_000_000), long("d", 0), long("e", 900_000));
    let users: Vec<_> =
        rows_of(&replay(lines, &[]), "session_features").iter().map(|row| row["user_id"].clone()).collect();
    assert_eq!(users.len(), 5, "{users:?}");
}

/// A number always means milliseconds since 1970 (fault row 2).
#[test]
fn numbers_are_milliseconds() {
    let times: [(&str, i64); 13] = [
        ("-377705023201000", -377_705_023_201_000),
        ("-86400000", -86_400_000),
        ("\"1969-12-31T23:59:59.9971Z\"", -3),
        ("-2", -2),
        ("-0.5", -1), // rounds towards the past, as times in text do
        ("0", 0),
        ("0.9", 0),
        ("1704067200", 1_704_067_200), // seconds: the 20th of January 1970
        ("1.7040672e12", 1_704_067_200_000),
        ("1704067200001", 1_704_067_200_001),
        ("1704067200002.75", 1_704_067_200_002),
        ("\"2024-01-01T00:00:00.0039Z\"", 1_704_067_200_003),
        ("253402207200999", 253_402_207_200_999),
    ];
    let lines: String =
        times.iter().map(|(text, _)| format!("{{\"event_time\":{text},\"user_id\":{text:?}}}\n")).collect();
    let replayed = replay(lines, &[]);
    let mut starts: Vec<i64> =
        rows_of(&replayed, "session_features").iter().filter_map(|row| row["window_start"].as_i64()).collect();
    starts.sort_unstable();
    assert_eq!(starts, times.map(|(_, ms)| ms));
    replayed.expect_stderr(&[" 0 dead letter", "session_features: 13 rows, 0 late event"]);
}
