//! `windrow generate --to kafka --backlog` on topics that already hold events.

use std::process::Command;

use jiff::{SignedDuration, Timestamp};

use windrow_test_support::kafka::{TestTransaction, TransactionOutcome};

use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::TestJob;

/// The event time at which the first backlog ends.
const FIRST_END: Timestamp = Timestamp::constant(1_704_110_400, 0);

/// Runs `windrow generate` with a backlog of two hours that ends at `now`. Returns what it wrote to stderr.
fn generate_backlog(kafka: &TestKafka, topic: &str, now: Timestamp, event_count: u32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_windrow"))
        .args(["generate", "--to", "kafka", "--backlog", "2h", "--users", "40"])
        .args(["--count", &event_count.to_string(), "--now", &now.to_string()])
        .args(["--set", &format!("source.kafka.brokers={}", kafka.brokers)])
        .args(["--set", &format!("source.kafka.topic={topic}")])
        .output()
        .expect("windrow runs");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{messages}");
    messages
}

fn event_at(partition: i32, time: Timestamp) -> OutgoingRecord {
    let payload = format!(r#"{{"event_time":"{time}","event_type":"view","user_id":"u1","price":1}}"#);
    OutgoingRecord::new_in_partition(partition, time.as_millisecond(), &payload).with_key("u1")
}

/// The second backlog continues after the first, so none of its events is late.
#[test]
fn a_second_backlog_continues_where_the_topic_ends() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(4, &[]);
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let first = generate_backlog(&kafka, &topic, FIRST_END, 7_200);
    assert!(first.contains(&format!("backlog: 2 h; topic {topic} holds no earlier event")), "{first}");
    run.run_bounded(&[]);

    // 7,200 events in two hours are one each second, of which the ten minutes after the newest event are sent.
    let second = generate_backlog(&kafka, &topic, FIRST_END + SignedDuration::from_mins(10), 7_200);
    assert!(second.contains(&format!("after the newest event of topic {topic}")), "{second}");
    let sent =
        second.lines().find_map(|line| line.split_once(" events to topic")?.0.parse::<u32>().ok()).expect("a count");
    assert!((590..=605).contains(&sent), "{second}");
    let log = run.run_bounded(&[]);
    assert!(log.contains(&format!("all workers ended records=\"{sent}\"")), "{log}");
    for view in ["user_features", "session_features"] {
        let line = log.lines().find(|line| line.contains(&format!("{view}: "))).expect(view);
        assert!(line.ends_with(", 0 late events"), "{second}{log}");
    }
}

/// The newest event is found behind records that are no events, transactions, deleted records and an event of the future.
#[test]
fn the_newest_event_is_found_at_any_end_of_a_partition() {
    let kafka = kafka_or_skip!();
    let topic = kafka.create_unique_topic(4, &[]);
    let before_end = |minutes| FIRST_END - SignedDuration::from_mins(minutes);
    kafka.produce(&topic, &[event_at(0, before_end(60))]);
    let other = |payload: Option<Vec<u8>>| OutgoingRecord {
        partition: Some(0),
        key: Some(b"u1".to_vec()),
        payload,
        ..OutgoingRecord::default()
    };
    kafka.produce(&topic, &vec![other(Some(b"not an event".to_vec())); 700]);
    kafka.produce(&topic, &[other(None)]);
    let transaction = |minutes, transaction_outcome| TestTransaction {
        records: vec![event_at(1, before_end(minutes))],
        transaction_outcome,
    };
    kafka.produce_transactions(
        &topic,
        &[transaction(30, TransactionOutcome::Commit), transaction(1, TransactionOutcome::Abort)],
    );
    kafka.produce(&topic, &[event_at(2, before_end(2))]);
    kafka.delete_records_before(&topic, 2, 1);
    kafka.produce(&topic, &[event_at(3, before_end(40)), event_at(3, before_end(-180))]);

    let messages = generate_backlog(&kafka, &topic, FIRST_END, 20);
    let newest = before_end(30);
    let expected = format!("backlog: 29 min 59 s, after the newest event of topic {topic} ({newest})");
    assert!(messages.contains(&expected), "{messages}");
    assert!(messages.contains(&format!("warning: partition 3 of topic {topic} holds an event of")), "{messages}");
    assert!(messages.contains("3 h in the future"), "{messages}");
}
