//! Unbounded `windrow run`: stops, a slow or unreachable Redis, and several workers in one process.

use std::time::{Duration, Instant};
use windrow_test_support::{free_port, wait_until};

use crate::conformance_cases::{ConformanceCase, read_conformance_case};
use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::kafka::{TestKafka, kafka_or_skip, key_events_by_user};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::rows::{assert_same_rows, last_row_per_key};
use crate::support::windrow::{STOP_GRACE_PERIOD, TestJob, run_generate, shipped_pipeline};
use crate::web::send_request;

fn replay_rows(kafka: &TestKafka, topic: &str, partitions: i32) -> RowsByKey {
    replay_expected_rows(kafka, topic, partitions, &shipped_pipeline()).contents
}

fn total_committed(offsets: &[i64]) -> i64 {
    offsets.iter().filter(|offset| **offset > 0).sum()
}

fn as_offset(records: usize) -> i64 {
    i64::try_from(records).expect("small")
}

/// After SIGTERM or Ctrl-C the job writes and commits everything it has read and exits with 0 within seconds. The next run
/// resumes after it.
#[test]
fn a_signal_drains_and_commits() {
    let kafka = kafka_or_skip!();
    let ConformanceCase { events, .. } = read_conformance_case("random");
    for signal in ["-TERM", "-INT"] {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(4, &[]);
        kafka.produce(&topic, &key_events_by_user(&events, None));
        kafka.produce(&topic, &closing_events(4));
        let folder = tempfile::tempdir().expect("a folder");
        let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        let mut running = run.start(&["--workers", "2"], &folder.path().join("log"));
        let expected = replay_rows(&kafka, &topic, 4);
        wait_until("all rows are written", || redis.row_count() == expected.len());
        running.send_signal(signal);
        let asked = Instant::now();
        assert_eq!(running.wait_for_exit(), Some(0));
        assert!(asked.elapsed() < STOP_GRACE_PERIOD, "{:?}", asked.elapsed());
        assert_same_rows(&expected, &redis.read_rows(), signal);
        assert_eq!(
            total_committed(&kafka.committed_offsets(&run.group, &topic, 4)),
            as_offset(events.len() + 4),
            "{signal}"
        );
        // The next run has nothing to read.
        let log = run.run_bounded(&[]);
        assert!(log.contains("all workers ended records=\"0\""), "{log}");
    }
}

/// Offsets are committed only after Redis has the rows. While Redis does not respond none is committed.
#[test]
fn offsets_are_committed_only_behind_redis() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--workers", "1"], &folder.path().join("log"));
    let first = r#"{"event_time":"2024-01-01T09:00:00","event_type":"view","user_id":"0","price":1}"#;
    kafka.produce(&topic, &key_events_by_user(&[first.to_owned()], Some(0)));
    wait_until("the first event is committed", || kafka.committed_offsets(&run.group, &topic, 1) == [1]);

    redis.pause();
    let ConformanceCase { events, .. } = read_conformance_case("late");
    kafka.produce(&topic, &key_events_by_user(&events, Some(0)));
    kafka.produce(&topic, &closing_events(1));
    std::thread::sleep(Duration::from_secs(4));
    // Offsets up to the first row do not depend on Redis. Later ones must not be committed.
    let frozen = kafka.committed_offsets(&run.group, &topic, 1)[0];
    assert!(frozen < as_offset(events.len()), "committed {frozen} while Redis hung");
    redis.resume();
    wait_until("everything is committed", || {
        kafka.committed_offsets(&run.group, &topic, 1) == [as_offset(events.len() + 2)]
    });
    assert_same_rows(&replay_rows(&kafka, &topic, 1), &redis.read_rows(), "after the freeze");
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(0));
}

/// A stop while Redis does not respond ends within seconds with a warning. The next run computes the unwritten rows again.
#[test]
fn what_a_stop_left_unwritten_is_computed_again() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--workers", "1"], &log);
    wait_until("it reads", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("reading partitions")));
    redis.pause();
    let ConformanceCase { name, events, results: answers } = read_conformance_case("boundaries");
    kafka.produce(&topic, &key_events_by_user(&events, Some(0)));
    std::thread::sleep(Duration::from_secs(2));
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(8));
    redis.resume();
    let text = std::fs::read_to_string(&log).expect("a log");
    assert!(text.contains("stopped before Redis acknowledged the last rows"), "{text}");
    run.run_bounded(&[]);
    assert_same_rows(&last_row_per_key(answers.lines()), &redis.read_rows(), &name);
}

/// A job without new records still asks Redis whether it owns its partitions. A stop does not wait for the answer, and
/// nothing is computed again.
#[test]
fn an_idle_job_stops_without_a_warning_while_redis_is_paused() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let (log, port) = (folder.path().join("log"), free_port());
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--workers", "1", "--listen", &format!("127.0.0.1:{port}")], &log);
    let event = r#"{"event_time":"2024-01-01T09:00:00","event_type":"view","user_id":"0","price":1}"#;
    kafka.produce(&topic, &key_events_by_user(&[event.to_owned()], Some(0)));
    wait_until("the event is in a checkpoint", || kafka.committed_offsets(&run.group, &topic, 1) == [1]);
    redis.pause();
    wait_until("Redis has not answered a fence check", || {
        let metrics = send_request(port, "GET", "/metrics", "").map(|(_, metrics)| metrics).unwrap_or_default();
        let mut values = metrics.lines().filter_map(|line| line.strip_prefix("windrow_redis_waiting_bytes "));
        values.any(|bytes| bytes != "0")
    });
    running.send_signal("-TERM");
    let exit_code = running.wait_for_exit();
    redis.resume();
    let text = std::fs::read_to_string(&log).expect("a log");
    assert_eq!(exit_code, Some(0), "{text}");
    assert!(!text.contains("stopped before"), "{text}");
}

/// A stopped bounded run commits only offsets of complete checkpoints. The next run resumes there or starts again, and the
/// result equals Flink's.
#[test]
fn a_bounded_run_that_was_stopped_can_be_repeated() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let ConformanceCase { events, results: answers, .. } = read_conformance_case("random");
    kafka.produce(&topic, &key_events_by_user(&events, Some(0)));
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--bounded"], &log);
    wait_until("it reads", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("reading partitions")));
    redis.pause();
    running.send_signal("-TERM");
    let code = running.wait_for_exit();
    redis.resume();
    // It may have finished just before the signal.
    let committed = kafka.committed_offsets(&run.group, &topic, 1)[0];
    // Its first checkpoint may or may not have been complete. 8: Redis lacks rows. 17: the job had no rows yet, and a checkpoint
    // waited for Redis.
    assert!(
        matches!((code, committed), (Some(8 | 9 | 17), -1..6_000) | (Some(0), 6_000)),
        "{code:?}, committed {committed}"
    );
    run.run_bounded(&[]);
    assert_same_rows(&last_row_per_key(answers.lines()), &redis.read_rows(), "the second run");
}

/// `start = latest` applies to the first start only. The next run reads the events that arrived between two runs.
#[test]
fn what_comes_between_two_runs_is_not_skipped_by_latest() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override("source.kafka.start=latest");
    let mut running = run.start(&["--workers", "1"], &log);
    wait_until("its start is committed", || kafka.committed_offsets(&run.group, &topic, 1) == [0]);
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(0));
    let ConformanceCase { name, events, results: answers } = read_conformance_case("boundaries");
    kafka.produce(&topic, &key_events_by_user(&events, Some(0)));
    run.run_bounded(&[]);
    assert_same_rows(&last_row_per_key(answers.lines()), &redis.read_rows(), &name);
}

/// The start waits for Redis.
#[test]
fn redis_may_come_later() {
    let kafka = kafka_or_skip!();
    let port = free_port();
    let topic = kafka.create_unique_topic(1, &[]);
    let ConformanceCase { events, results: answers, .. } = read_conformance_case("boundaries");
    kafka.produce(&topic, &key_events_by_user(&events, Some(0)));
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &format!("redis://127.0.0.1:{port}"), &topic);
    let mut running = run.start(&["--bounded"], &log);
    wait_until("it says what it waits for", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("waiting for Redis"))
    });
    let redis = Redis::start_on(port);
    assert_eq!(running.wait_for_exit(), Some(0));
    let expected = last_row_per_key(answers.lines());
    assert_same_rows(&expected, &redis.read_rows(), "a late Redis");
}

/// Partitions keep their state when they are revoked and come back to any worker of the process. Another member joins and
/// leaves the group while events arrive.
#[test]
fn partitions_move_between_workers_without_loss() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(4, &[]);
    let seed = std::process::id().to_string();
    println!("seed {seed}");
    let lines =
        run_generate(&["--count", "30000", "--users", "400", "--backlog", "2h", "--disorder", "9s", "--seed", &seed]);
    let lines: Vec<String> = lines.into_iter().map(|line| String::from_utf8(line).expect("text")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--workers", "3"], &log);
    for (index, piece) in lines.chunks(2_000).enumerate() {
        kafka.produce(&topic, &key_events_by_user(piece, None));
        if index % 5 == 2 {
            kafka.join_and_leave_group(&run.group, &topic);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    kafka.produce(&topic, &closing_events(4));
    let all = as_offset(lines.len() + 4);
    wait_until("everything is committed", || total_committed(&kafka.committed_offsets(&run.group, &topic, 4)) == all);
    assert_same_rows(&replay_rows(&kafka, &topic, 4), &redis.read_rows(), "three workers");
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(0));
    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("releasing partitions"), "no partition moved, so this shows nothing:\n{log}");
    assert!(log.contains(&format!("all workers ended records=\"{}", &all.to_string()[..2])), "{log}");
}
