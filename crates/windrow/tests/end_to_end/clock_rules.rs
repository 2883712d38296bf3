//! What the wall clock decides: the windows of idle partitions close without a next event (fault row 5), and events from the
//! future are refused (fault row 3). A restart decides the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use windrow_test_support::kafka::{DedicatedKafka, TestTransaction, TransactionOutcome};
use windrow_test_support::{free_port, wait_until};

use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::windrow::{RunningJob, TestJob};

/// The time after which the windows of an idle partition would have closed for long: the sum of all times in the pipeline is
/// 11 s.
const WATCHED_TIME: Duration = Duration::from_secs(20);

fn test_pipeline(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/end_to_end/pipelines/{name}.toml"))
}

/// A job that runs on a topic and a Redis of its own.
struct LiveJob {
    redis: Redis,
    topic: String,
    job: TestJob,
    log: PathBuf,
    running: RunningJob,
    _folder: tempfile::TempDir,
}

fn start_job(kafka: &TestKafka, pipeline: &str, partitions: i32) -> LiveJob {
    let (redis, topic) = (Redis::start(), kafka.create_unique_topic(partitions, &[]));
    let folder = tempfile::tempdir().expect("a folder");
    let job = TestJob::with_pipeline(test_pipeline(pipeline), &kafka.brokers, &redis.url(), &topic);
    let log = folder.path().join("log");
    let running = job.start(&[], &log);
    LiveJob { redis, topic, job, log, running, _folder: folder }
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since_epoch.as_millis()).expect("before the year 292 million")
}

/// Returns an event of `user` in partition 0.
fn event(user: &str, time_ms: i64) -> OutgoingRecord {
    let payload = format!(r#"{{"user_id":"{user}","event_time":{time_ms}}}"#);
    OutgoingRecord::new_in_partition(0, now_ms(), &payload).with_key(user)
}

/// Returns the sums of the field `events` over the rows of each user in the view `view`.
fn count_events(rows: &RowsByKey, view: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for (key, row) in rows {
        let mut parts = key.split(':');
        if parts.next() == Some(view)
            && let Some(user) = parts.next()
        {
            *counts.entry(user.to_owned()).or_insert(0) += row["events"].parse::<i64>().expect("a number");
        }
    }
    counts
}

fn has_session_of(redis: &Redis, user: &str) -> bool {
    count_events(&redis.read_rows(), "session").contains_key(user)
}

#[test]
fn windows_and_sessions_close_without_a_next_event() {
    let kafka = kafka_or_skip!();
    let live = start_job(&kafka, "short_windows", 2);
    let LiveJob { ref redis, ref topic, .. } = live;
    kafka.produce(topic, &[event("a", now_ms()), event("a", now_ms())]);
    wait_until("the session is written", || has_session_of(redis, "a"));
    let rows = redis.read_rows();
    assert_eq!(count_events(&rows, "session"), BTreeMap::from([("a".to_owned(), 2)]));
    // Each event is in two windows.
    wait_until("both windows are written", || count_events(&redis.read_rows(), "recent").get("a") == Some(&4));
    live.running.stop(&live.log);
}

/// A shopper stops: without any further event, the row becomes zero or disappears.
#[test]
fn the_row_of_a_user_without_events_fades_without_a_next_event() {
    let kafka = kafka_or_skip!();
    let live = start_job(&kafka, "fading", 1);
    let LiveJob { ref redis, ref topic, .. } = live;
    kafka.produce(topic, &[event("a", now_ms())]);
    wait_until("the row is written", || redis.read_rows().get("zeroed:a").is_some_and(|row| row["events"] == "1"));
    wait_until("the row that is deleted later is written", || redis.read_rows().contains_key("deleted:a"));
    wait_until("the row is zero", || redis.read_rows()["zeroed:a"]["events"] == "0");
    wait_until("the row is deleted", || !redis.read_rows().contains_key("deleted:a"));
    live.running.stop(&live.log);
}

#[test]
fn a_partition_with_an_open_transaction_is_not_idle_and_one_that_ends_with_a_transaction_is() {
    let kafka = kafka_or_skip!();
    let live = start_job(&kafka, "short_windows", 1);
    let LiveJob { ref redis, ref topic, .. } = live;
    let transaction = |user: &str| TestTransaction {
        records: vec![event(user, now_ms())],
        transaction_outcome: TransactionOutcome::Commit,
    };
    kafka.produce_transactions(topic, &[transaction("a")]);
    wait_until("the session of the transaction is written", || has_session_of(redis, "a"));

    let open = kafka.open_transaction(topic, &[event("c", now_ms())]);
    kafka.produce(topic, &[event("b", now_ms())]);
    thread::sleep(WATCHED_TIME);
    assert!(!has_session_of(redis, "b"), "the partition has records that were not delivered");
    open.commit();
    wait_until("both sessions are written", || has_session_of(redis, "b") && has_session_of(redis, "c"));
    live.running.stop(&live.log);
}

#[test]
fn a_broker_that_does_not_answer_is_no_idleness() {
    let _ = kafka_or_skip!();
    let port = free_port();
    let broker = DedicatedKafka::start(port, &format!("localhost:{port}"));
    let kafka = TestKafka::with_brokers(format!("localhost:{port}"));
    let live = start_job(&kafka, "short_windows", 1);
    let LiveJob { ref redis, ref topic, .. } = live;
    kafka.produce(topic, &[event("a", now_ms())]);
    wait_until("the first session is written", || has_session_of(redis, "a"));
    kafka.produce(topic, &[event("b", now_ms())]);
    wait_until("the second event is in a checkpoint", || kafka.committed_offsets(&live.job.group, topic, 1) == [2]);
    broker.suspend();
    thread::sleep(WATCHED_TIME);
    let written_while_silent = has_session_of(redis, "b");
    broker.resume();
    assert!(!written_while_silent, "the broker did not answer");
    wait_until("the second session is written", || has_session_of(redis, "b"));
    live.running.stop(&live.log);
}

/// Each user has one event. The job is killed again and again, also right after the clock has closed a session.
#[test]
fn kills_change_no_row_of_an_idle_partition() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let job = TestJob::with_pipeline(test_pipeline("short_windows"), &kafka.brokers, &redis.url(), &topic);
    let log = folder.path().join("log");
    let mut users = 0;
    let mut written: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for round in 0..8_u64 {
        let running = job.start(&[], &log);
        let until = Instant::now() + Duration::from_millis(4_000 + 700 * (round % 4));
        while Instant::now() < until {
            kafka.produce(&topic, &[event(&format!("u{users}"), now_ms())]);
            users += 1;
            thread::sleep(Duration::from_millis(if users % 5 == 0 { 2_500 } else { 40 }));
            for (key, row) in redis.read_rows() {
                if let Some(before) = written.insert(key.clone(), row.clone()) {
                    assert_eq!(before, row, "the row {key} has changed");
                }
            }
        }
        running.kill();
    }
    let running = job.start(&[], &log);
    wait_until("all sessions are written", || count_events(&redis.read_rows(), "session").len() == users);
    wait_until("all windows are written", || count_events(&redis.read_rows(), "recent").values().all(|&n| n == 2));
    running.stop(&log);
    let rows = redis.read_rows();
    assert!(count_events(&rows, "session").values().all(|&events| events == 1), "{rows:?}");
    for (key, before) in written {
        assert_eq!(rows.get(&key), Some(&before), "the row {key} has changed");
    }
}

#[test]
fn an_event_dated_in_the_future_is_a_dead_letter_and_makes_no_other_late() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    // Kafka refuses such records otherwise.
    let topic = kafka.create_unique_topic(1, &[("message.timestamp.after.max.ms", "9223372036854775807")]);
    let folder = tempfile::tempdir().expect("a folder");
    let dead_letters = folder.path().join("dead.jsonl");
    let mut job = TestJob::with_pipeline(test_pipeline("short_windows"), &kafka.brokers, &redis.url(), &topic);
    job.set_override(&format!("dead_letters.file={}", dead_letters.display()));
    let log = folder.path().join("log");
    let running = job.start(&[], &log);
    let five_years_ms = 5 * 365 * 24 * 3_600_000;
    // The record of the second event carries the time of its event, as some producers do.
    let lying = OutgoingRecord { timestamp_ms: Some(now_ms() + five_years_ms), ..event("a", now_ms() + five_years_ms) };
    kafka.produce(&topic, &[event("a", now_ms()), lying, event("a", now_ms() + 1)]);
    wait_until("the session is written", || has_session_of(&redis, "a"));
    assert_eq!(count_events(&redis.read_rows(), "session"), BTreeMap::from([("a".to_owned(), 2)]));
    running.stop(&log);
    let letters = fs::read_to_string(&dead_letters).expect("dead letters");
    assert_eq!(letters.lines().count(), 1, "{letters}");
    assert!(letters.contains("is too far in the future"), "{letters}");
}
