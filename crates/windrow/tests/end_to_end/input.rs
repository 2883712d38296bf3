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

/// An event of `user` with a record key, in the partition that the producer's partitioner chooses.
fn keyed_event(record_key: &str, user: &str) -> OutgoingRecord {
    OutgoingRecord {
        key: Some(record_key.as_bytes().to_vec()),
        payload: Some(EVENT.replace("111", user).into_bytes()),
        ..OutgoingRecord::default()
    }
}

/// A record without a key is a dead letter. If most of the first records of a partition have none, they would spread the
/// events of a user over partitions: the job halts, and commits nothing of the partition.
#[test]
fn records_without_a_key_on_several_partitions_are_refused() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(2, &[]);
    kafka.produce(&topic, &[event(0, Some("111")), event(1, None)]);
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let log = run.run_bounded(&["--workers", "1"]);
    assert!(
        log.contains("the record has no key; in a topic of several partitions, its key must be `user_id`"),
        "{log}"
    );
    assert_eq!(redis.read_rows()["user_features:111"]["view_count_1h"], "1");
    assert_eq!(kafka.committed_offsets(&run.group, &topic, 2), [1, 1]);

    let topic = kafka.create_unique_topic(2, &[]);
    kafka.produce(&topic, &vec![event(1, None); 501]);
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let output = run.run_to_end(&["--bounded", "--workers", "1"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{log}");
    assert!(
        log.contains("most of the first records of partition 1 have no key (501, the last at offset 500)"),
        "{log}"
    );
    assert!(log.contains("Make the producer send `user_id` as the key of each record"), "{log}");
    // A first checkpoint, before any record, may have committed the start.
    let committed = kafka.committed_offsets(&run.group, &topic, 2)[1];
    assert!(committed <= 0, "{committed} of partition 1 is committed: {log}");
}

/// A topic that is keyed by order: the events of a user are in several partitions, and each writes the user's row.
#[test]
fn record_keys_that_are_not_the_user_are_reported() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(4, &[]);
    let orders: Vec<_> =
        (0..4_000).map(|order| keyed_event(&format!("order-{order}"), &(order % 500).to_string())).collect();
    kafka.produce(&topic, &orders);
    let log = TestJob::new(&kafka.brokers, &redis.url(), &topic).run_bounded(&[]);
    assert!(log.contains("misplaced record, because the record key is not the entity key"), "{log}");
    for field in ["record_key=\"order-", "entity_key=", "partition=", "expected_partition="] {
        assert!(log.contains(field), "{field}: {log}");
    }

    let mut halting = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    halting.set_override("source.kafka.on_misplaced=halt");
    let output = halting.run_to_end(&["--bounded"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{log}");
    assert!(log.contains("because the record key is not the entity key"), "{log}");
    assert!(log.contains("Make all producers send `user_id` as the record key, with the same partitioner"), "{log}");

    // Only evidence shows this fault: the declared partitioner places each record.
    let mut refusing = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    refusing.set_override("source.kafka.on_misplaced=dead_letter");
    refusing.set_override("source.kafka.partitioner=murmur2");
    let log = refusing.run_bounded(&[]);
    assert!(log.contains("misplaced record, because the record key is not the entity key"), "{log}");
    assert!(!log.contains("reason=\"misplaced"), "{log}");
}

/// A declared partitioner needs no evidence: a record is misplaced if it puts the record key elsewhere.
#[test]
fn records_of_another_partitioner_than_declared_are_dead_letters() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(4, &[]);
    let events: Vec<_> =
        (0..40).map(|user: u32| keyed_event(&format!("household {}", user / 2), &user.to_string())).collect();
    kafka.produce_with_settings(&topic, &events, &[("partitioner", "murmur2_random")]);
    let count_dead_letters = |declared: &str| {
        let mut job = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        job.set_override("source.kafka.on_misplaced=dead_letter");
        job.set_override(&format!("source.kafka.partitioner={declared}"));
        job.run_bounded(&[]).matches("reason=\"misplaced: user_id `").count()
    };
    assert_eq!(count_dead_letters("murmur2"), 0);
    assert!(count_dead_letters("crc32") > 0);
}

/// After partitions were added, older records are where fewer partitions put them. A declared partitioner is not used then,
/// and the log says so. Evidence still halts.
#[test]
fn accepted_partitions_turn_off_the_declared_partitioner_and_the_log_says_so() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(4, &[]);
    let events: Vec<_> = (0..400).map(|user: u32| keyed_event(&user.to_string(), &user.to_string())).collect();
    kafka.produce_with_settings(&topic, &events, &[("partitioner", "murmur2_random")]);
    kafka.increase_partitions_to(&topic, 6);
    let run = |topic: &str, policy: &str| {
        let mut job = TestJob::new(&kafka.brokers, &redis.url(), topic);
        job.set_override(&format!("source.kafka.on_misplaced={policy}"));
        job.set_override("source.kafka.partitioner=murmur2");
        job.run_to_end(&["--bounded", "--accept-partitions"])
    };
    for policy in ["dead_letter", "halt"] {
        let output = run(&topic, policy);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(log.contains("--accept-partitions does not use source.kafka.partitioner"), "{log}");
        assert!(!log.contains("misplaced:") && !log.contains("misplaced record,"), "{log}");
    }
    let orders = kafka.create_unique_topic(4, &[]);
    let events: Vec<_> =
        (0..4_000).map(|order| keyed_event(&format!("order-{order}"), &(order % 500).to_string())).collect();
    kafka.produce(&orders, &events);
    let output = run(&orders, "halt");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{log}");
    assert!(log.contains("because the record key is not the entity key"), "{log}");
}

/// Two producers with different partitioners: librdkafka's default and that of Java.
#[test]
fn two_partitioners_are_reported_and_one_is_not() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let events: Vec<_> =
        (0..4_000).map(|n: u32| keyed_event(&(n % 1_900).to_string(), &(n % 1_900).to_string())).collect();
    for partitioners in [&["consistent_random"][..], &["murmur2_random"], &["consistent_random", "murmur2_random"]] {
        let topic = kafka.create_unique_topic(4, &[]);
        for partitioner in partitioners {
            kafka.produce_with_settings(&topic, &events, &[("partitioner", partitioner)]);
        }
        let log = TestJob::new(&kafka.brokers, &redis.url(), &topic).run_bounded(&[]);
        let is_reported = log.contains("misplaced record, because producers use different partitioners");
        assert_eq!(is_reported, partitioners.len() == 2, "{partitioners:?}: {log}");
        assert_eq!(log.contains("misplaced"), is_reported, "{partitioners:?}: {log}");
    }
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

/// A misspelt topic is not created, and the message names the topic that was meant.
#[test]
fn an_unknown_topic_is_4_and_is_not_created() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let existing = kafka.create_unique_topic(1, &[]);
    let unknown = format!("{existing}s");
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &unknown);
    let output = run.run_to_end(&["--bounded"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{log}");
    assert!(log.contains(&format!("error: topic `{unknown}` does not exist on")), "{log}");
    assert!(log.contains(&format!("Topics with a similar name exist: `{existing}`")), "{log}");
    assert!(log.contains("--create-topic PARTITIONS"), "{log}");

    // The topic of dead letters is not created either.
    run.set_override(&format!("source.kafka.topic={existing}"));
    run.set_override(&format!("dead_letters.topic={unknown}"));
    let output = run.run_to_end(&["--bounded", "--create-topic", "3"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{log}");
    assert!(log.contains(&format!("topic `{unknown}` does not exist on")), "{log}");
    assert!(!kafka.list_topics().contains(&unknown));
}

/// `--create-topic` creates an unknown topic, and leaves an existing topic as it is.
#[test]
fn an_unknown_topic_is_created_on_request() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = TestKafka::generate_unique_name("unknown");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let log = run.run_bounded(&["--create-topic", "3"]);
    assert!(log.contains("the topic did not exist; it was created"), "{log}");
    assert!(kafka.read_partition(&topic, 2).is_empty());
    let log = run.run_bounded(&["--create-topic", "5"]);
    assert!(!log.contains("it was created") && log.contains("partitions=3"), "{log}");
}
