//! Lines that are not events become dead letters with all their bytes. Other lines are not affected.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use super::replay;

const EVENTS: &str = include_str!("../../conformance/boundaries.events.jsonl");

/// One line for each reason why a line is not an event, and a part of that reason.
const NO_EVENTS: &[(&[u8], &str)] = &[
    // not JSON, or not an object
    (b"", "the record is empty"),
    (b" \t ", "the record is empty"),
    (b"no event", "malformed JSON: expected"),
    (b"{\"event_time\":\"2024-01-01T10:00:00\",\"user_id\":\"a\"", "malformed JSON: EOF"),
    (b"{\"event_time\":\"2024-01-01T10:00:00\",\"user_id\":\"a\"}}", "malformed JSON: trailing characters"),
    (b"{\"event_time\":0,\"user_id\":\"a\"}{\"event_time\":0,\"user_id\":\"a\"}", "malformed JSON: trailing"),
    (b"{'event_time':0,'user_id':'a'}", "malformed JSON: key must be a string"),
    (b"{\"event_time\":0,\"user_id\":\"a\",}", "malformed JSON: trailing comma"),
    (b"{\"event_time\":0,\"user_id\":\"\\ud800\"}", "malformed JSON: "),
    (b"{\"event_time\":0,\"user_id\":\"\x01\"}", "malformed JSON: control character"),
    (b"\0\0\0\0\x01", "malformed JSON: "),
    (b"[]", "the record is a JSON array; a record must be one JSON object"),
    (b"[{\"event_time\":0,\"user_id\":\"a\"}]", "the record is a JSON array; a record must be one JSON object"),
    (b"\xef\xbb\xbf", "the record is empty"),
    (b"null", "malformed JSON: invalid type: null"),
    (b"42", "malformed JSON: invalid type: integer"),
    (b"\"view\"", "malformed JSON: invalid type: string"),
    // not UTF-8: in the key, in a field that is not even declared, overlong, a surrogate
    (b"{\"event_time\":0,\"user_id\":\"\xff\"}", "not UTF-8: the byte at position 27"),
    (b"{\"event_time\":0,\"user_id\":\"a\",\"x\":\"\xc3\"}", "not UTF-8"),
    (b"\xc0\xaf", "not UTF-8: the byte at position 0"),
    (b"\xed\xa0\x80", "not UTF-8: the byte at position 0"),
    // something missing
    (b"{}", "`user_id` is missing"),
    (b"{\"event_time\":0}", "`user_id` is missing"),
    (b"{\"event_time\":0,\"user_id\":null}", "`user_id` is missing"),
    (b"{\"user_id\":\"a\"}", "`event_time` is missing"),
    (b"{\"user_id\":\"a\",\"event_time\":null}", "`event_time` is missing"),
    (b"{\"event_time\":0,\"USER_ID\":\"a\"}", "`user_id` is missing"),
    // a wrong type
    (b"{\"event_time\":0,\"user_id\":true}", "`user_id` must be a string or a number but is boolean `true`"),
    (b"{\"event_time\":0,\"user_id\":[\"a\"]}", "`user_id` must be a string or a number but is an array"),
    (b"{\"event_time\":0,\"user_id\":{\"a\":1}}", "`user_id` must be a string or a number but is an object"),
    (b"{\"event_time\":0,\"user_id\":\"a\",\"price\":\"1,5\"}", "`price` must be a number but is string \"1,5\""),
    (b"{\"event_time\":0,\"user_id\":\"a\",\"price\":false}", "`price` must be a number but is boolean `false`"),
    (b"{\"event_time\":0,\"user_id\":\"a\",\"price\":[1.5]}", "`price` must be a number but is an array"),
    (b"{\"event_time\":true,\"user_id\":\"a\"}", "`event_time` must be a time as text or a number of milliseconds"),
    (b"{\"event_time\":[0],\"user_id\":\"a\"}", "`event_time` must be a time as text or a number of milliseconds"),
    // twice the same
    (b"{\"event_time\":0,\"user_id\":\"a\",\"user_id\":\"a\"}", "`user_id` occurs twice"),
    (b"{\"event_time\":0,\"event_time\":0,\"user_id\":\"a\"}", "`event_time` occurs twice"),
    (b"{\"event_time\":0,\"user_id\":\"a\",\"price\":1,\"price\":null}", "`price` occurs twice"),
    // no time: numbers
    (b"{\"event_time\":NaN,\"user_id\":\"a\"}", "malformed JSON: expected value"),
    (b"{\"event_time\":-Infinity,\"user_id\":\"a\"}", "malformed JSON: invalid number"),
    (b"{\"event_time\":1e400,\"user_id\":\"a\"}", "malformed JSON: number out of range"),
    (b"{\"event_time\":1e300,\"user_id\":\"a\"}", "`event_time` is not an event time"),
    (b"{\"event_time\":-1e300,\"user_id\":\"a\"}", "is not between -9999-01-02 and 9999-12-30"),
    (b"{\"event_time\":1704067200000000,\"user_id\":\"a\"}", "1704067200000000\" is not between"), // microseconds
    (b"{\"event_time\":253402300800000,\"user_id\":\"a\"}", "a number means milliseconds since 1970"),
    (b"{\"event_time\":-377705023201001,\"user_id\":\"a\"}", "is not between -9999-01-02 and 9999-12-30"),
    (b"{\"event_time\":9223372036854775807,\"user_id\":\"a\"}", "is not between -9999-01-02 and 9999-12-30"),
    (b"{\"event_time\":-9223372036854775808,\"user_id\":\"a\"}", "is not between -9999-01-02 and 9999-12-30"),
    (b"{\"event_time\":18446744073709551615,\"user_id\":\"a\"}", "is not between -9999-01-02 and 9999-12-30"),
    (b"{\"event_time\":99999999999999999999999,\"user_id\":\"a\"}", "is not between -9999-01-02 and 9999-12-30"),
    // no time: text
    (b"{\"event_time\":\"\",\"user_id\":\"a\"}", "\"\" is neither RFC 3339"),
    (b"{\"event_time\":\"NaN\",\"user_id\":\"a\"}", "\"NaN\" is neither RFC 3339"),
    (b"{\"event_time\":\"1704067200000000\",\"user_id\":\"a\"}", "is not between -9999-01-02 and 9999-12-30"),
    (b"{\"event_time\":\"yesterday\",\"user_id\":\"a\"}", "\"yesterday\" is neither RFC 3339"),
    (b"{\"event_time\":\"20240101\",\"user_id\":\"a\"}", "is either a date without hyphens or a number"),
    (b"{\"event_time\":\"2024-01-01T10:00:00+25:00\",\"user_id\":\"a\"}", "has a UTC offset beyond 18 hours"),
    (b"{\"event_time\":\"2024-13-01T10:00:00\",\"user_id\":\"a\"}", "is neither RFC 3339"),
    (b"{\"event_time\":\"2023-02-29T10:00:00\",\"user_id\":\"a\"}", "is neither RFC 3339"),
    (b"{\"event_time\":\"2024-01-01T25:00:00Z\",\"user_id\":\"a\"}", "is neither RFC 3339"),
    (b"{\"event_time\":\"2024-01-01T10:00:00[Asia/Seoul]\",\"user_id\":\"a\"}", "names a time zone in brackets"),
];

/// Replays `lines` with a dead-letter file. Returns the rows, standard error, and the dead letters.
fn replay_with_dead_letters(lines: &[u8]) -> (String, String, Vec<Value>) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("dead.jsonl");
    let replayed = replay(lines, &["--dead-letters", &path.to_string_lossy()]);
    let kept = fs::read_to_string(path).expect("the dead letters");
    let letters = kept.lines().map(|line| serde_json::from_str(line).expect("a dead letter")).collect();
    (replayed.text().to_owned(), replayed.stderr, letters)
}

/// Returns the original bytes in a dead letter.
fn payload(letter: &Value) -> Vec<u8> {
    match letter.get("payload") {
        Some(text) => text.as_str().expect("text").as_bytes().to_owned(),
        None => {
            let coded = letter["payload_base64"].as_str().expect("payload or payload_base64");
            BASE64_STANDARD.decode(coded).expect("base64")
        }
    }
}

#[test]
fn every_kind_is_kept_with_its_line_and_reason_and_changes_nothing_else() {
    let mut lines: Vec<&[u8]> = EVENTS.lines().map(str::as_bytes).collect();
    let clean = replay(EVENTS, &[]);
    let mut places = Vec::new();
    for (index, (line, reason)) in NO_EVENTS.iter().enumerate() {
        let place = (index * 2 + 1).min(lines.len()); // between the events as long as there are any
        lines.insert(place, line);
        places.push((place, *line, *reason));
    }
    let (rows, stderr, letters) = replay_with_dead_letters(&[&lines.join(&b'\n')[..], b"\n"].concat());

    assert_eq!(rows, clean.text(), "the rows are as if only the events were there");
    assert_eq!(letters.len(), NO_EVENTS.len());
    for (letter, (place, line, reason)) in letters.iter().zip(places) {
        let given = letter["reason"].as_str().expect("a reason");
        let shown = String::from_utf8_lossy(line);
        assert!(given.contains(reason), "{shown}: expected {reason:?} but got {given:?}");
        assert_eq!(payload(letter), line, "{shown}: the original bytes");
        assert_eq!(letter["offset"], place, "{shown}: the number of its line");
        assert_eq!((&letter["topic"], &letter["partition"]), (&"standard input".into(), &0.into()));
        assert_eq!(letter.get("key"), Some(&Value::Null), "a line has no key, and says so");
    }
    assert!(stderr.contains(&format!(" {} dead letter", NO_EVENTS.len())), "{stderr}");
    assert_eq!(stderr.matches(" dead letter ").count(), 10, "the first ones are shown, the rest is counted:\n{stderr}");
}

/// With strict types, values that are converted by default make the record a dead letter.
#[test]
fn strict_types_refuse_what_is_converted_by_default() {
    let lines = concat!(
        "{\"event_time\":0,\"user_id\":\"a\",\"price\":\"1.5\"}\n",
        "{\"event_time\":0,\"user_id\":\"a\",\"event_type\":1}\n",
        "{\"event_time\":0,\"user_id\":\"a\",\"event_type\":{}}\n",
        "{\"event_time\":\"1704067200000\",\"user_id\":\"a\"}\n",
    );
    replay(lines, &[]).expect_stderr(&["4 record", " 0 dead letter"]);
    replay(lines, &["--set", "event.types=strict"]).expect_stderr(&[
        " 4 dead letter",
        "`price` must be a number but is string",
        "`event_type` must be a string but is integer `1`",
        "`event_type` must be a string but is an object",
        "is neither RFC 3339",
    ]);
}

#[test]
fn without_a_file_they_are_counted_and_the_first_are_shown() {
    let replayed = replay("no event\n", &[]);
    assert_eq!(replayed.text(), "");
    replayed.expect_stderr(&["1 record", " 1 dead letter", "topic=\"standard input\"", "offset=0", "malformed JSON"]);
}

#[test]
fn a_dead_letter_file_is_written_anew_and_empty_where_all_is_well() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("dead.jsonl");
    fs::write(&path, "of last time\n").expect("a file");
    replay(EVENTS, &["--dead-letters", &path.to_string_lossy()]);
    assert_eq!(fs::read_to_string(path).expect("it is there"), "");
}

/// The depth to which the records of these tests nest.
const DEPTH: usize = 100_000;

/// Deep nesting in a member that the pipeline declares neither overflows the stack nor costs other rows.
#[test]
fn declared_members_that_nest_a_hundred_thousand_deep_are_dead_letters() {
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    let objects = format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
    let bad = [
        open.clone(),
        format!("{open}{close}"),
        objects.clone(),
        format!("{{\"event_time\":0,\"user_id\":\"a\",\"price\":{open}{close}}}"),
        format!("{{\"event_time\":0,\"user_id\":{open}{close}}}"),
        format!("{{\"event_time\":{objects},\"user_id\":\"a\"}}"),
    ];
    let (rows, _, letters) = replay_with_dead_letters(format!("{}\n{EVENTS}", bad.join("\n")).as_bytes());
    assert_eq!(rows, replay(EVENTS, &[]).text());
    assert_eq!(letters.len(), bad.len());
    for (letter, line) in letters.iter().zip(&bad) {
        assert!(payload(letter) == line.as_bytes(), "the original bytes of {}…", &line[..50]);
    }
}

/// No member that the pipeline does not declare makes a record a dead letter.
#[test]
fn undeclared_members_are_ignored_whatever_they_hold() {
    let brackets = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let objects = format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
    let with_member = |member: &str| {
        let events = EVENTS.lines().map(|line| format!("{{{member},{}\n", line.strip_prefix('{').expect("an object")));
        events.collect::<String>()
    };
    let rows = replay(EVENTS, &[]);
    for member in [
        "\"title\":\"cut \\ud83d\"",
        "\"\\ude00\":{\"x\":\"\\ud83d\"}",
        "\"x\":1e400",
        "\"x\":[-1e400]",
        &format!("\"x\":{brackets}"),
        &format!("\"x\":{objects}"),
    ] {
        let replayed = replay(with_member(member), &[]);
        assert_eq!(replayed.text(), rows.text(), "{}", &member[..member.len().min(50)]);
        replayed.expect_stderr(&[" 0 dead letter"]);
    }
}

/// A line may exceed the limit for events. Its dead letter keeps the beginning.
#[test]
fn a_line_of_five_megabytes_is_a_dead_letter() {
    let long = format!("{{\"event_time\":0,\"user_id\":\"a\",\"x\":\"{}\"}}", "x".repeat(5_000_000));
    let (rows, stderr, letters) = replay_with_dead_letters(format!("{EVENTS}{long}\n{EVENTS}{long}").as_bytes());
    assert_eq!(rows, replay(format!("{EVENTS}{EVENTS}"), &[]).text());
    let events = EVENTS.lines().count();
    let offsets: Vec<&Value> = letters.iter().map(|letter| &letter["offset"]).collect();
    assert_eq!(offsets, [events, 2 * events + 1]);
    for letter in &letters {
        assert!(
            letter["reason"].as_str().expect("a reason").contains("at most 1048576 are read"),
            "{}",
            letter["reason"]
        );
        let kept = payload(letter);
        assert!(kept.len() >= 1024 * 1024 && long.as_bytes().starts_with(&kept), "{} bytes are kept", kept.len());
    }
    assert!(stderr.contains(" 2 dead letter"), "{stderr}");
}

#[test]
fn a_line_of_just_a_mebibyte_is_read() {
    let event = |bytes: usize| {
        let frame = "{\"event_time\":0,\"user_id\":\"a\",\"x\":\"\"}";
        format!("{{\"event_time\":0,\"user_id\":\"a\",\"x\":\"{}\"}}", "x".repeat(bytes - frame.len()))
    };
    let (longest, too_long) = (event(1024 * 1024), event(1024 * 1024 + 1));
    let (_, stderr, letters) = replay_with_dead_letters(format!("{longest}\n{too_long}\n{longest}").as_bytes());
    assert_eq!(letters.iter().map(|letter| &letter["offset"]).collect::<Vec<_>>(), [1], "{stderr}");
}
