//! `--set`: values of the pipeline file replaced from the command line.

use super::{replay, rows_of};
use crate::windrow::run_with_input;

const TWO_VIEWS_A_MINUTE_APART: &str = "\
{\"event_time\":\"2024-01-01T10:00:00\",\"event_type\":\"view\",\"user_id\":\"a\",\"price\":1}\n\
{\"event_time\":\"2024-01-01T10:01:00\",\"event_type\":\"view\",\"user_id\":\"a\",\"price\":2}\n\
{\"event_time\":\"2024-01-01T10:00:30\",\"event_type\":\"view\",\"user_id\":\"b\",\"price\":3}\n";

#[test]
fn an_override_changes_the_rows() {
    let sessions = |flags: &[&str]| rows_of(&replay(TWO_VIEWS_A_MINUTE_APART, flags), "session_features");
    assert_eq!(sessions(&[]).len(), 2, "one session of a, one of b");
    let shorter = sessions(&["--set", "feature_view.session_features.window.session.gap=30s"]);
    assert_eq!(shorter.len(), 3, "two sessions of a, and b's event is not late: {shorter:?}");
    let strict =
        ["--set", "feature_view.session_features.window.session.gap=20s", "--set", "watermark.max_out_of_orderness=0s"];
    let late: Vec<_> = sessions(&strict).into_iter().filter(|row| row["late"] == true).collect();
    assert_eq!(late.len(), 1, "b's event");
    assert_eq!(late[0]["user_id"], "b");
}

#[test]
fn the_last_of_several_counts() {
    let gap = |value: &str| format!("feature_view.session_features.window.session.gap={value}");
    let flags = ["--set", &gap("30s"), "--set", &gap("10m")];
    assert_eq!(rows_of(&replay(TWO_VIEWS_A_MINUTE_APART, &flags), "session_features").len(), 2);
}

#[test]
fn mistakes_in_overrides_are_all_reported() {
    let mistakes = [
        "watermark.max_out_of_orderness=tomorrow",
        "feature_view.sessions.ttl=1h",
        "event.time_zone=Asia/Soul",
        "sink.redis.uri=redis://localhost",
    ];
    let flags = mistakes.iter().flat_map(|one| ["--set", one]);
    let args = ["replay", "--input", "-", "--output", "-"].into_iter().chain(flags);
    let refused = run_with_input(args, "").expect(3);
    assert_eq!(refused.text(), "");
    insta::assert_snapshot!(refused.stderr);
}
