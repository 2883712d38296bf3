//! User ids are arbitrary text: they are written unchanged, and different ids stay different.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{replay, rows_of};

fn event(user: &Value, time: i64) -> String {
    format!("{}\n", json!({ "event_time": time, "event_type": "view", "user_id": user, "price": 1.0 }))
}

const HOSTILE: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "a ",
    "a:1",
    "a:1:2",
    ":",
    "a:",
    "{}",
    "{a}",
    "{user_id}",
    "{window_start}",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "\0",
    "a\0b",
    "\u{1b}[31m",
    "'",
    "\"",
    "\\",
    "\\n",
    "\\u0041",
    "*",
    "a*",
    "?",
    "[a-z]",
    "../../etc/passwd",
    "$(reboot)",
    "%s%n",
    "'; DROP TABLE users; --",
    "null",
    "🛒",
    "👩‍👩‍👧‍👦",
    "한국어",
    "\u{1112}\u{1161}\u{11ab}", // 한, decomposed into three letters
    "한",
    "e\u{301}",
    "é",
    "\u{202e}abc",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
];

#[test]
fn hostile_ids_come_out_exactly_and_apart() {
    let events: String = (0..).zip(HOSTILE).map(|(time, user)| event(&json!(user), time)).collect();
    let replayed = replay(events, &[]);
    let sessions = rows_of(&replayed, "session_features");
    let users: BTreeSet<&str> = sessions.iter().map(|row| row["user_id"].as_str().expect("text")).collect();
    assert_eq!(users, HOSTILE.iter().copied().collect());
    assert_eq!(sessions.len(), HOSTILE.len(), "one session each");
    for row in &sessions {
        assert_eq!(row["event_count"], 1, "{row}");
    }
}

#[test]
fn an_escaped_id_is_the_same_as_a_plain_one() {
    let lines = "{\"event_time\":0,\"user_id\":\"한/a\"}\n{\"event_time\":1,\"user_id\":\"\\ud55c\\/\\u0061\"}\n";
    let sessions = rows_of(&replay(lines, &[]), "session_features");
    assert_eq!((&sessions[0]["user_id"], &sessions[0]["event_count"]), (&json!("한/a"), &json!(2)));
}

#[test]
fn a_number_as_id_is_its_text() {
    for number in ["111", "-1", "0", "1.50", "1e3", "9007199254740993", "123456789012345678901234567890"] {
        let lines =
            format!("{{\"event_time\":0,\"user_id\":{number}}}\n{{\"user_id\":\"{number}\",\"event_time\":1}}\n");
        let sessions = rows_of(&replay(lines, &[]), "session_features");
        assert_eq!(sessions.len(), 1, "{number} and \"{number}\" are one user");
        assert_eq!((&sessions[0]["user_id"], &sessions[0]["event_count"]), (&json!(number), &json!(2)));
    }
}

/// Aggregates and conditions can use the key as a field. A long number as key keeps all digits.
#[test]
fn a_number_as_id_is_its_text_to_features_and_limits_too() {
    for number in ["7", "1.50"] {
        let named = "feature_view.session_features.features.named={ first = \"user_id\" }";
        let same = format!(
            "feature_view.session_features.features.same={{ count = \"*\", where = \"user_id = '{number}'\" }}"
        );
        let line = format!("{{\"event_time\":0,\"user_id\":{number}}}\n");
        let sessions = rows_of(&replay(line, &["--set", named, "--set", &same]), "session_features");
        assert_eq!((&sessions[0]["named"], &sessions[0]["same"]), (&json!(number), &json!(1)));
    }
    let long = format!("{{\"event_time\":0,\"user_id\":1.{}}}\n", "0".repeat(1023));
    replay(long, &[]).expect_stderr(&[" 1 dead letter", "`user_id` is 1025 bytes long"]);
}

#[test]
fn an_id_of_a_megabyte_is_refused_unless_allowed() {
    let huge = "한".repeat(1_000_000 / 3);
    let lines = format!("{}{}", event(&json!("a"), 0), event(&json!(huge), 1));

    let replayed = replay(lines.clone(), &[]);
    let users: Vec<Value> = rows_of(&replayed, "session_features").iter().map(|row| row["user_id"].clone()).collect();
    assert_eq!(users, ["a"]);
    replayed.expect_stderr(&[" 1 dead letter", "`user_id` is 999999 bytes long; `max_key_bytes` allows 1024"]);

    let allowed = replay(lines, &["--set", "event.max_key_bytes=1000000"]);
    let sessions = rows_of(&allowed, "session_features");
    let out = sessions.iter().filter_map(|row| row["user_id"].as_str()).find(|user| user.len() > 1);
    assert!(out == Some(&huge), "the id comes out exactly");
    allowed.expect_stderr(&[" 0 dead letter"]);
}

#[test]
fn the_limit_counts_bytes_and_is_inclusive() {
    let (fits, too_long) = ("é".repeat(512), format!("{}x", "é".repeat(512)));
    let replayed = replay(format!("{}{}", event(&json!(fits), 0), event(&json!(too_long), 1)), &[]);
    let sessions = rows_of(&replayed, "session_features");
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["user_id"], json!(fits));
    replayed.expect_stderr(&["`user_id` is 1025 bytes long"]);
}
