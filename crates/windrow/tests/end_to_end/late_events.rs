//! The records of late events are stored before a checkpoint passes them (fault row 4).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windrow_test_support::wait_until;

use crate::support::kafka::{OutgoingRecord, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::TestJob;
use crate::topic::read_log;

const TEN_O_CLOCK_MS: i64 = 1_704_103_200_000;

fn minute_ms(minutes: i64) -> i64 {
    TEN_O_CLOCK_MS + minutes * 60_000
}

/// Returns an event `minutes` after ten, with a member that no feature uses.
fn event_at(user: &str, minutes: i64) -> OutgoingRecord {
    let payload =
        format!(r#"{{"event_time":{},"event_type":"view", "user_id":"{user}","more":"한국"}}"#, minute_ms(minutes));
    OutgoingRecord::new_in_partition(0, minute_ms(minutes), &payload).with_key(user)
}

/// The watermark after the first event is 10:59:49.999. The second event is late for its session alone, the third for all
/// windows, the fourth for none.
fn events() -> Vec<OutgoingRecord> {
    vec![event_at("clock", 60), event_at("u", 40), event_at("u", -20), event_at("u", 55)]
}

fn expected_late_events(topic: &str) -> Vec<Value> {
    let watermark_ms = minute_ms(60) - 10_001;
    let late = |offset: usize, feature_views: &[&str], minutes: i64| {
        let payload = events()[offset].payload.clone().and_then(|bytes| String::from_utf8(bytes).ok());
        json!({
            "topic": topic, "partition": 0, "offset": offset, "feature_views": feature_views,
            "event_time_ms": minute_ms(minutes), "watermark_ms": watermark_ms,
            "lateness_ms": watermark_ms - minute_ms(minutes), "key": "u", "payload": payload,
        })
    };
    vec![late(1, &["session_features"], 40), late(2, &["user_features", "session_features"], -20)]
}

#[test]
fn late_events_go_to_a_file() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &events());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("late.jsonl");
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("late_events.file={}", path.display()));
    run.run_bounded(&[]);
    let lines = std::fs::read_to_string(&path).expect("the file is there");
    let late: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(late, expected_late_events(&topic));
}

/// The process is killed as soon as a checkpoint is behind the late events. They are in the topic then.
#[test]
fn late_events_are_in_the_topic_before_their_offset_is_committed() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let late_topic = kafka.create_unique_topic(1, &[]);
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("late_events.topic={late_topic}"));
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let running = run.start(&["--workers", "1"], &log);
    kafka.produce(&topic, &events());
    wait_until("a checkpoint behind the late events", || kafka.committed_offsets(&run.group, &topic, 1) == [4]);
    running.kill();
    // A checkpoint between the events and a restart could store an event twice, but nothing restarts here.
    let stored = kafka.read_partition(&late_topic, 0);
    let expected = expected_late_events(&topic);
    assert_eq!(stored.len(), expected.len(), "{}", read_log(&log));
    for (record, expected) in stored.iter().zip(&expected) {
        let original = &events()[usize::try_from(expected["offset"].as_u64().expect("an offset")).expect("small")];
        assert_eq!((&record.key, &record.payload), (&original.key, &original.payload));
        let views: Vec<&str> =
            expected["feature_views"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let headers = BTreeMap::from([
            ("windrow.topic", topic.clone()),
            ("windrow.partition", "0".to_owned()),
            ("windrow.offset", expected["offset"].to_string()),
            ("windrow.feature-views", views.join(",")),
            ("windrow.event-time-ms", expected["event_time_ms"].to_string()),
            ("windrow.watermark-ms", expected["watermark_ms"].to_string()),
            ("windrow.lateness-ms", expected["lateness_ms"].to_string()),
        ]);
        let found = record.headers_as_text();
        for (name, value) in &headers {
            assert_eq!(found.get(*name), Some(value), "{found:?}");
        }
        assert_eq!(found.len(), headers.len(), "{found:?}");
    }
}

/// A topic that refuses the records halts the job, which commits nothing behind them (as for dead letters).
#[test]
fn a_topic_that_refuses_late_events_halts_the_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let late_topic = kafka.create_unique_topic(1, &[("max.message.bytes", "300")]);
    kafka.produce(&topic, &events());
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("late_events.topic={late_topic}"));
    let output = run.run_to_end(&["--bounded"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{log}");
    assert!(log.contains(&format!("cannot write late events to topic `{late_topic}`")), "{log}");
    assert!(log.contains("late_events.topic"), "{log}");
    let committed = kafka.committed_offsets(&run.group, &topic, 1);
    assert!(committed[0] <= 0, "the offset of a record that is not stored was committed: {committed:?}");
}
