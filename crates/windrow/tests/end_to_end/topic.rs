//! `windrow run` while its topic is deleted, created again, or extended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::kafka::{PartitionGrowthPolicy, TopicIdentity, TopicMonitor};
use windrow_engine::Halt;
use windrow_test_support::wait_until;

use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::member::await_test_topic;
use crate::support::redis::Redis;
use crate::support::windrow::{RunningJob, TestJob};

/// Returns how often a partition was opened, according to the log of a job.
pub(crate) fn count_opened_partitions(log: &Path) -> usize {
    read_log(log).lines().filter(|line| line.contains(" partition=") && line.contains("epoch=")).count()
}

pub(crate) fn read_log(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

/// Returns `count` equal events of one user.
pub(crate) fn user_events(partition: i32, count: usize) -> Vec<OutgoingRecord> {
    let payload = br#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"111","price":1}"#;
    let sent = OutgoingRecord {
        partition: Some(partition),
        key: Some(b"111".to_vec()),
        payload: Some(payload.to_vec()),
        ..OutgoingRecord::default()
    };
    vec![sent; count]
}

/// Starts a job and waits until it has committed ten events.
fn start_and_commit(kafka: &TestKafka, run: &TestJob, topic: &str, arguments: &[&str], log: &Path) -> RunningJob {
    kafka.produce(topic, &user_events(0, 10));
    let running = run.start(arguments, log);
    wait_until("the events are committed", || kafka.committed_offsets(&run.group, topic, 1) == [10]);
    running
}

/// After a topic is created again, offsets name other records. The job halts and explains how to continue.
#[test]
fn a_topic_that_is_created_again_halts_the_job() {
    let kafka = kafka_or_skip!();
    for empty in [true, false] {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(1, &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        let mut running = start_and_commit(&kafka, &run, &topic, &["--workers", "2"], &log);
        kafka.delete_topic(&topic);
        // Kafka deletes a topic asynchronously.
        std::thread::sleep(Duration::from_millis(500));
        kafka.create_named_topic(&topic, 1, &[]);
        if !empty {
            kafka.produce(&topic, &user_events(0, 50));
        }
        assert_eq!(running.wait_for_exit(), Some(11), "{}", read_log(&log));
        let log = read_log(&log);
        assert!(log.contains(&format!("topic `{topic}` was deleted and created again")), "{log}");
        assert!(log.contains("start it with a new `source.kafka.group`, or delete its checkpoints"), "{log}");
    }
}

/// A deleted topic halts the job, which does not create it again.
#[test]
fn a_topic_that_is_deleted_halts_the_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = start_and_commit(&kafka, &run, &topic, &["--workers", "1"], &log);
    kafka.delete_topic(&topic);
    assert_eq!(running.wait_for_exit(), Some(4), "{}", read_log(&log));
    assert!(read_log(&log).contains("was deleted while the job ran"), "{}", read_log(&log));
}

/// With one partition, records need no keys. With the second one they do, also for a job that began before.
#[test]
fn records_need_keys_once_partitions_are_added() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let without_key: Vec<_> =
        user_events(0, 10).into_iter().map(|event| OutgoingRecord { key: None, ..event }).collect();
    let mut running = run.start(&["--workers", "1", "--accept-partitions"], &log);
    kafka.produce(&topic, &without_key);
    wait_until("the events are committed", || kafka.committed_offsets(&run.group, &topic, 1) == [10]);
    assert!(!read_log(&log).contains("dead letter"), "{}", read_log(&log));
    kafka.increase_partitions_to(&topic, 2);
    wait_until("it says that keys are needed", || {
        read_log(&log).contains("the topic has several partitions now, so each record needs a key")
    });
    kafka.produce(&topic, &without_key);
    wait_until("they are dead letters", || {
        read_log(&log).matches("dead letter").count() >= 10 && kafka.committed_offsets(&run.group, &topic, 1) == [20]
    });
    assert!(read_log(&log).contains("the record has no key"), "{}", read_log(&log));
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(0), "{}", read_log(&log));
}

/// A broker may be too slow to report the topic's id when the job starts.
#[test]
fn a_topic_id_that_was_unknown_at_the_start_is_asked_for_again() {
    let kafka = kafka_or_skip!();
    let topic = kafka.create_unique_topic(1, &[]);
    let known = TopicIdentity { id: None, ..await_test_topic(&kafka, &topic) };
    let monitor =
        Arc::new(TopicMonitor::new(&known, &kafka.brokers, PartitionGrowthPolicy::Refuse).expect("a monitor"));
    let check_topic = monitor.to_topic_check_function();
    assert_eq!(check_topic().expect("unchanged"), None);
    wait_until("Kafka reports the id", || {
        monitor.ask_for_unknown_topic_id();
        check_topic().expect("unchanged").is_some()
    });
    kafka.delete_topic(&topic);
    // Kafka deletes a topic asynchronously.
    std::thread::sleep(Duration::from_millis(500));
    kafka.create_named_topic(&topic, 1, &[]);
    wait_until("the new topic is noticed", || matches!(check_topic(), Err(Halt::TopicRecreated(_))));
}

/// Added partitions move keys to other partitions. The job halts unless the operator accepts that.
#[test]
fn partitions_that_are_added_halt_the_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = start_and_commit(&kafka, &run, &topic, &["--workers", "1"], &log);
    kafka.increase_partitions_to(&topic, 3);
    assert_eq!(running.wait_for_exit(), Some(12), "{}", read_log(&log));
    let text = read_log(&log);
    assert!(text.contains("has 3 partitions, but had 1"), "{text}");
    assert!(text.contains("`--accept-partitions`"), "{text}");

    let mut running = run.start(&["--workers", "1", "--accept-partitions"], &log);
    kafka.produce(&topic, &user_events(0, 1));
    wait_until("it goes on", || kafka.committed_offsets(&run.group, &topic, 1) == [11]);
    kafka.increase_partitions_to(&topic, 5);
    wait_until("it mentions that", || read_log(&log).contains("partitions were added, and the job continues"));
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(0));
}
