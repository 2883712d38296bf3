//! Windows and aggregates: pipeline files of these tests, and results calculated by hand.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::rows_of;
use crate::rows::compare_rows;
use crate::windrow::{FinishedCommand, run, run_with_input};

const EVERY_AGGREGATE: &str = "crates/windrow/tests/cli/windows/every_aggregate";

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/windows").join(name))
        .expect("a golden file")
}

#[test]
fn every_aggregate_in_every_kind_of_window() {
    let pipeline = format!("{EVERY_AGGREGATE}.toml");
    let input = format!("{EVERY_AGGREGATE}.events.jsonl");
    let args = ["replay", &pipeline, "--input", &input, "--output", "-"];
    let replayed = run(args).expect(0).expect_stderr(&[" 0 dead letter"]);
    if let Err(differences) = compare_rows(&file("every_aggregate.rows.jsonl"), replayed.text()) {
        panic!("{differences}");
    }
}

#[test]
fn members_are_in_the_order_of_the_pipeline_file() {
    let replayed = run([
        "replay",
        &format!("{EVERY_AGGREGATE}.toml"),
        "--input",
        &format!("{EVERY_AGGREGATE}.events.jsonl"),
        "--output",
        "-",
    ])
    .expect(0);
    let head =
        "{\"feature_view\":\"session\",\"user\":\"a\",\"window_start\":1704067200000,\"window_end\":1704067440000,";
    let row = format!("{head}\"events\":5,\"length_s\":120,\"page_last\":\"zoo\"}}\n");
    assert!(replayed.text().contains(&row), "{}", replayed.text());
}

/// The example of `docs/windows.md`. The numbers are minutes after 10:00.
#[test]
fn late_events_make_sessions_fire_again_and_supersede_rows() {
    let minute = |minutes: i64| 1_704_103_200_000 + minutes * 60_000;
    let event = |(user, minutes): (&str, i64)| format!("{{\"user\":\"{user}\",\"at\":{}}}\n", minute(minutes));
    let events =
        [("u", 0), ("u", 2), ("other", 30), ("u", 1), ("u", -5), ("u", 12), ("u", 21), ("u", -55), ("other", 80)];
    let args = ["replay", "crates/windrow/tests/cli/windows/lateness.toml", "--input", "-", "--output", "-"];
    let replayed = run_with_input(args, events.map(event).concat()).expect(0);
    let line = |start, end, rest: &str| {
        let window = format!("\"window_start\":{},\"window_end\":{}", minute(start), minute(end));
        format!("{{\"feature_view\":\"sessions\",\"user\":\"u\",{window},{rest}}}")
    };
    let expected = [
        line(0, 12, "\"events\":2"),
        line(0, 12, "\"events\":3"),
        line(0, 12, "\"superseded\":true"),
        line(-5, 12, "\"events\":4"),
        line(-5, 12, "\"superseded\":true"),
        line(-5, 22, "\"events\":5"),
        format!("{{\"feature_view\":\"sessions\",\"user\":\"u\",\"late\":true,\"event_time\":{}}}", minute(-55)),
        line(-5, 22, "\"superseded\":true"),
        line(-5, 31, "\"events\":6"),
    ];
    let lines: Vec<&str> = replayed.text().lines().filter(|line| line.contains("\"u\"")).collect();
    assert_eq!(lines, expected);
}

/// A text that is longer than `max_field_bytes` is NULL to `last`, so its default applies.
#[test]
fn texts_that_are_too_long_are_null_to_the_aggregates_that_would_keep_them() {
    let replayed = run([
        "replay",
        &format!("{EVERY_AGGREGATE}.toml"),
        "--input",
        &format!("{EVERY_AGGREGATE}.events.jsonl"),
        "--output",
        "-",
        "--set",
        "event.max_field_bytes=2",
    ])
    .expect(0);
    let row = "\"events\":5,\"length_s\":120,\"page_last\":\"\"}\n";
    assert!(replayed.text().contains(row), "{}", replayed.text());
    assert!(!replayed.text().contains("\"zoo\""), "{}", replayed.text());
}

#[test]
fn its_plan_names_every_aggregate() {
    let checked = run(["check", &format!("{EVERY_AGGREGATE}.toml")]).expect(0);
    let plan = checked.text();
    for aggregate in ["count", "sum", "avg", "min", "max", "first", "last", "count_distinct"] {
        assert!(plan.contains(&format!(" {aggregate}(price) ")), "{aggregate}:\n{plan}");
    }
    for part in [
        " count(*) ",
        " duration in milliseconds ",
        " duration in seconds ",
        " duration in minutes ",
        "(time zone: Asia/Seoul)",
        "string, price double, units long, member boolean",
        "tumbling 10 min",
        "session, gap 2 min",
        "sliding 10 min every 4 min",
        "sliding 1 min every 5 min",
        "s:{user}:{window_start}-{window_end}",
        " \"none\" ",
        " false ",
        " -1 ",
        " 7.0 ",
    ] {
        assert!(plan.contains(part), "{part}:\n{plan}");
    }
}

/// Replays with a session gap of one millisecond, so that each session starts at the time of one event.
fn session_starts(time_zone: &str, times: &[&str]) -> Vec<i64> {
    let lines: String = times
        .iter()
        .zip(0..)
        .map(|(time, user)| json!({"event_time": time, "user_id": user}).to_string() + "\n")
        .collect();
    let zone = format!("event.time_zone={time_zone}");
    let gap = "feature_view.session_features.window.session.gap=1ms";
    let args = ["replay", "--input", "-", "--output", "-", "--set", &zone, "--set", gap];
    let replayed: FinishedCommand = run_with_input(args, lines).expect(0);
    let rows = rows_of(&replayed, "session_features");
    let mut starts: Vec<(u64, i64)> = rows
        .iter()
        .map(|row| {
            let user = row["user_id"].as_str().and_then(|user| user.parse().ok()).expect("its number");
            (user, row["window_start"].as_i64().or(row["event_time"].as_i64()).expect("a time"))
        })
        .collect();
    starts.sort_unstable();
    starts.into_iter().map(|(_, start)| start).collect()
}

const HOUR: i64 = 3_600_000;

#[test]
fn a_time_without_an_offset_is_read_in_the_pipelines_time_zone() {
    const TEN_UTC: i64 = 1_704_103_200_000; // 2024-01-01T10:00:00Z
    let times = ["2024-01-01T10:00:00", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00-03:30"];
    assert_eq!(session_starts("UTC", &times), [TEN_UTC, TEN_UTC, TEN_UTC + 3 * HOUR + HOUR / 2]);
    assert_eq!(session_starts("Asia/Seoul", &times), [TEN_UTC - 9 * HOUR, TEN_UTC, TEN_UTC + 3 * HOUR + HOUR / 2]);
}

/// As in Java: a local time that a clock change skips moves forward by the gap. A repeated one has the earlier offset.
#[test]
fn local_times_around_clock_changes() {
    const MARCH_10_MIDNIGHT_UTC: i64 = 1_710_028_800_000;
    let march = ["2024-03-10T01:59:59.999", "2024-03-10T02:30:00", "2024-03-10T03:30:00"];
    let utc = MARCH_10_MIDNIGHT_UTC + 7 * HOUR;
    assert_eq!(session_starts("America/New_York", &march), [utc - 1, utc + HOUR / 2, utc + HOUR / 2]);

    const NOVEMBER_3_MIDNIGHT_UTC: i64 = 1_730_592_000_000;
    let november = ["2024-11-03T00:30:00", "2024-11-03T01:30:00", "2024-11-03T02:30:00"];
    let utc = NOVEMBER_3_MIDNIGHT_UTC + 4 * HOUR;
    let starts = [utc + HOUR / 2, utc + HOUR + HOUR / 2, utc + 3 * HOUR + HOUR / 2];
    assert_eq!(session_starts("America/New_York", &november), starts);
}

#[test]
fn windows_before_1970_begin_at_multiples_of_the_slide_too() {
    let replayed =
        run_with_input(["replay", "--input", "-", "--output", "-"], "{\"event_time\":-1,\"user_id\":\"a\"}\n")
            .expect(0);
    let rows = rows_of(&replayed, "user_features");
    let starts: Vec<i64> = rows.iter().filter_map(|row| row["window_start"].as_i64()).collect();
    assert_eq!(starts, (-6..0).map(|slides| slides * HOUR / 6).collect::<Vec<_>>());
}

#[test]
fn a_watermark_without_out_of_orderness_makes_late_what_is_a_millisecond_behind() {
    // Tumbling, because an event that is late for one sliding window may still be in time for others.
    let event = |time: i64| format!("{{\"event_time\":{time},\"user_id\":\"a\"}}\n");
    let late = |max_out_of_orderness: &str| {
        let setting = format!("watermark.max_out_of_orderness={max_out_of_orderness}");
        let slide = "feature_view.user_features.window.sliding.slide=1h";
        let args = ["replay", "--input", "-", "--output", "-", "--set", &setting, "--set", slide];
        let replayed = run_with_input(args, [event(HOUR), event(HOUR - 1)].concat()).expect(0);
        rows_of(&replayed, "user_features").iter().filter(|row| row["late"] == true).count()
    };
    // The event at the window's end puts the watermark 1 ms before the end, minus the allowed disorder.
    assert_eq!((late("0s"), late("1ms")), (1, 0));
}

/// JSON has no number for infinity and NaN, so they must not appear in a line.
#[test]
fn sums_beyond_all_doubles_are_text() {
    let view = |time: i64, price: &str| {
        format!("{{\"event_time\":{time},\"event_type\":\"view\",\"user_id\":\"a\",\"price\":{price}}}\n")
    };
    let average = |events: String| {
        let args = ["replay", "--input", "-", "--output", "-"];
        rows_of(&run_with_input(args, events).expect(0), "user_features")[5]["avg_viewed_price_1h"].clone()
    };
    assert_eq!(average([view(0, "1e308"), view(1, "1e308")].concat()), "Infinity");
    assert_eq!(average([view(0, "-1e308"), view(1, "-1e308")].concat()), "-Infinity");
    assert_eq!(average([view(0, "1e308"), view(1, "-1e308")].concat()), 0.0);
}
