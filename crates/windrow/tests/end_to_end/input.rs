//! Topics that need a change before they can be used.

use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::TestJob;

const EVENT: &str = r#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"111","price":29.99}"#;

fn event(partition: i32, key: Option<&str>) -> OutgoingRecord {
    OutgoingRecord {
        partition: Some(partition),
        key: key.map(|key| key.as_bytes().to_vec()),
        payload: Some(EVENT.as_bytes().to_vec()),
        ..OutgoingRecord::default()
    }
}

/// Records without keys would spread the events of a user over partitions. The job halts, and nothing after the first such
/// record is written or committed.
#[test]
fn records_without_a_key_on_several_partitions_are_refused() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(2, &[]);
    kafka.produce(&topic, &[event(0, Some("111")), event(1, None)]);
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let output = run.run_to_end(&["--bounded", "--workers", "1"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{log}");
    assert!(log.contains("the record at offset 0 of partition 1 has no key"), "{log}");
    assert!(log.contains("Make the producer send `user_id` as the key of each record"), "{log}");
    assert!(kafka.committed_offsets(&run.group, &topic, 2)[1] < 0);
}

/// With one partition, keys are not needed.
#[test]
fn records_without_a_key_on_one_partition_are_fine() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &[event(0, None)]);
    TestJob::new(&kafka.brokers, &redis.url(), &topic).run_bounded(&[]);
    assert_eq!(redis.read_rows()["user_features:111"]["avg_viewed_price_1h"], "29.99");
}

/// A malformed record without a key is a dead letter, and the job continues.
#[test]
fn a_malformed_record_without_a_key_does_not_stop_the_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(2, &[]);
    let tombstone = OutgoingRecord { partition: Some(0), ..OutgoingRecord::default() };
    kafka.produce(&topic, &[tombstone, event(0, Some("111"))]);
    TestJob::new(&kafka.brokers, &redis.url(), &topic).run_bounded(&[]);
    assert_eq!(redis.row_count(), 2);
}

/// An unknown topic is created, with a warning.
#[test]
fn an_unknown_topic_is_created() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = TestKafka::generate_unique_name("unknown");
    let log = TestJob::new(&kafka.brokers, &redis.url(), &topic).run_bounded(&[]);
    assert!(log.contains("the topic did not exist; it was created"), "{log}");
    assert!(kafka.read_partition(&topic, 0).is_empty());
}
