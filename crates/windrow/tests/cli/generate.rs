//! `windrow generate`: its flags, and what `windrow replay` counts in its stream.

use serde_json::Value;

use crate::windrow::{FinishedCommand, run, run_with_input};

fn generate(args: &[&str]) -> FinishedCommand {
    run(["generate", "--to", "-"].iter().chain(args)).expect(0)
}

/// Returns the event times of a stream without malformed events.
fn event_times(generated: &FinishedCommand) -> Vec<String> {
    let time = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("an event");
        event["event_time"].as_str().expect("a time").to_owned()
    };
    generated.text().lines().map(time).collect()
}

/// Returns the number before `after` in the line of replay's summary that contains `before`.
fn number_between(summary: &str, before: &str, after: &str) -> u64 {
    let line =
        summary.lines().find(|line| line.contains(before) && line.contains(after)).expect("a line of the summary");
    let number = line.split(after).next().and_then(|text| text.rsplit(' ').next()).expect("a number");
    number.replace(',', "").parse().expect("a number")
}

#[test]
fn the_seed_chooses_the_bytes() {
    let flags = ["--count", "500", "--disorder", "9s", "--late", "5", "--malformed", "5", "--seed"];
    let stream = |seed| generate(&[&flags[..], &[seed]].concat()).stdout;
    let first = stream("7");
    assert!(first == stream("7"), "seed 7 gave other bytes the second time");
    assert!(first != stream("8"), "seeds 7 and 8 gave the same bytes");
}

#[test]
fn a_file_gets_the_same_bytes_as_standard_output() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("events.jsonl");
    run(["generate", "--count", "100", "--to", &path.to_string_lossy()]).expect(0).expect_stderr(&["100 events to "]);
    assert!(std::fs::read(path).expect("the events") == generate(&["--count", "100"]).stdout);
}

#[test]
fn the_count_is_kept() {
    for count in ["0", "1", "1234"] {
        assert_eq!(generate(&["--count", count]).text().lines().count().to_string(), count);
    }
}

#[test]
fn a_backlog_at_a_rate_ends_at_the_present() {
    let generated = generate(&["--backlog", "10m", "--rate", "10", "--now", "2024-05-06T07:10:00Z"]);
    let times = event_times(&generated);
    assert_eq!(times.len(), 6_000);
    assert!(times.is_sorted(), "no disorder was asked for");
    assert!(times[0].starts_with("2024-05-06T07:00:00"), "{}", times[0]);
    assert!(times[5_999].starts_with("2024-05-06T07:09:59"), "{}", times[5_999]);
}

#[test]
fn a_backlog_with_a_count_is_filled_evenly() {
    let times = event_times(&generate(&["--backlog", "2h", "--count", "72", "--now", "2024-05-06T12:00:00Z"]));
    assert_eq!(times.len(), 72);
    assert!(times[0].starts_with("2024-05-06T10:0") && times[71].starts_with("2024-05-06T11:58"), "{times:?}");
}

#[test]
fn the_shares_of_late_and_malformed_events_show_in_replays_summary() {
    const SEED: &str = "42";
    println!("seed {SEED}");
    let replayed = |flags: &[&str]| {
        let base = ["--seed", SEED, "--count", "20000", "--users", "200", "--backlog", "4h", "--disorder", "9s"];
        let events = generate(&[&base[..], flags].concat()).stdout;
        run_with_input(["replay", "--input", "-", "--output", "-"], events).expect(0).stderr
    };
    let dead = |summary: &str| number_between(summary, "records in", " dead letter");
    let late = |summary: &str, view: &str| number_between(summary, view, " late event");

    let clean = replayed(&[]);
    assert_eq!((dead(&clean), late(&clean, "user_features")), (0, 0), "a disorder of 9 s makes nothing late");
    assert_eq!(late(&clean, "session_features"), 0, "a disorder of 9 s makes nothing late");

    let flawed = replayed(&["--late", "5", "--malformed", "2"]);
    // 2 % of 20,000 are 400, with a standard deviation of 20; the seed is fixed, the generator may change.
    assert!((300..=500).contains(&dead(&flawed)), "{flawed}");
    // 5 % are 1,000. In the sliding view those are late whose last window has closed; in the session view those
    // that no open session can include.
    for view in ["user_features", "session_features"] {
        assert!((100..=700).contains(&late(&flawed, view)), "{flawed}");
    }
}

#[test]
fn settings_outside_their_limits_are_refused_with_the_limit() {
    for (flag, value, said) in [
        ("--users", "0", "0 users are out of range: give a number from 1"),
        ("--late", "150", "150 % late events are out of range: give a percentage from 0 to 100"),
        ("--malformed", "150", "150 % malformed events are out of range"),
        ("--rate", "0", "a rate of 0 events per second is out of range"),
        ("--disorder", "25h", "a disorder of 90000000 ms is out of range"),
    ] {
        let refused = run(["generate", "--to", "-", "--count", "1", flag, value]);
        assert_eq!(refused.code, Some(2), "{flag} {value}");
        assert_eq!(refused.text(), "", "{flag} {value}");
        refused.expect_stderr(&[said]);
    }
}

#[test]
fn a_file_needs_an_end() {
    let refused = run(["generate", "--to", "-"])
        .expect_stderr(&["the number of events is missing: give --count N, or --backlog with --rate"]);
    assert_eq!(refused.code, Some(2));
}
