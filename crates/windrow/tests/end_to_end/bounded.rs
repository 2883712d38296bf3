//! `windrow run --bounded`: computes Flink's results from Kafka into Redis.

use crate::conformance_cases::{ConformanceCase, read_conformance_case, read_conformance_cases};
use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip, key_events_by_user};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::rows::{assert_same_rows, last_row_per_key};
use crate::support::windrow::{TestJob, run_generate, run_replay, shipped_pipeline};

/// For every conformance case in one partition, Redis holds the last row per key of Flink's results.
#[test]
fn conformance_cases_through_one_partition() {
    let kafka = kafka_or_skip!();
    for ConformanceCase { name, events, results: answers } in read_conformance_cases() {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(1, &[]);
        kafka.produce(&topic, &key_events_by_user(&events, Some(0)));
        let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        let log = run.run_bounded(&[]);
        let expected = last_row_per_key(answers.lines());
        assert_same_rows(&expected, &redis.read_rows(), &name);
        assert_eq!(
            kafka.committed_offsets(&run.group, &topic, 1),
            [i64::try_from(events.len()).expect("small")],
            "{name}: {log}"
        );
    }
}

/// Each of four partitions yields the rows of `windrow replay` for its own records, with any number of workers.
#[test]
fn conformance_cases_through_four_partitions() {
    let kafka = kafka_or_skip!();
    for (index, ConformanceCase { name, events, .. }) in read_conformance_cases().into_iter().enumerate() {
        let topic = kafka.create_unique_topic(4, &[]);
        kafka.produce(&topic, &key_events_by_user(&events, None));
        let workers = (index % 5 + 1).to_string();
        check_against_replay(&kafka, &topic, 4, &workers, &name);
    }
}

/// The same holds for generated traffic with disorder, late events and malformed records.
#[test]
fn generated_traffic_through_four_partitions() {
    let kafka = kafka_or_skip!();
    let topic = kafka.create_unique_topic(4, &[]);
    let seed = std::process::id().to_string();
    println!("seed {seed}");
    let lines = run_generate(&[
        "--count",
        "40000",
        "--users",
        "700",
        "--backlog",
        "3h",
        "--disorder",
        "12s",
        "--late",
        "2",
        "--malformed",
        "1",
        "--seed",
        &seed,
    ]);
    let records: Vec<OutgoingRecord> = lines
        .into_iter()
        .map(|line| {
            // A malformed record may have any key.
            let event = serde_json::from_slice::<serde_json::Value>(&line).unwrap_or_default();
            let key = event["user_id"].as_str().unwrap_or("malformed").to_owned().into_bytes();
            OutgoingRecord { partition: None, key: Some(key), payload: Some(line), ..OutgoingRecord::default() }
        })
        .collect();
    kafka.produce(&topic, &records);
    check_against_replay(&kafka, &topic, 4, "2", "generated traffic");
}

fn check_against_replay(kafka: &TestKafka, topic: &str, partitions: i32, workers: &str, what: &str) {
    let redis = Redis::start();
    let run = TestJob::new(&kafka.brokers, &redis.url(), topic);
    run.run_bounded(&["--workers", workers]);
    let mut expected = RowsByKey::new();
    let mut ends = Vec::new();
    for partition in 0..partitions {
        let records = kafka.read_partition(topic, partition);
        ends.push(i64::try_from(records.len()).expect("small"));
        let lines: Vec<Vec<u8>> = records.into_iter().map(|record| record.payload.unwrap_or_default()).collect();
        expected.extend(last_row_per_key(run_replay(&shipped_pipeline(), &lines).lines()));
    }
    assert_same_rows(&expected, &redis.read_rows(), what);
    assert_eq!(kafka.committed_offsets(&run.group, topic, partitions), ends, "{what}");
}

/// A run over an empty topic, or one without new records, ends at once.
#[test]
fn nothing_to_read() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(3, &[]);
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.run_bounded(&[]);
    assert_eq!(redis.row_count(), 0);
    let ConformanceCase { events, .. } = read_conformance_case("boundaries");
    kafka.produce(&topic, &key_events_by_user(&events, None));
    run.run_bounded(&[]);
    let once = redis.read_rows();
    assert!(!once.is_empty());
    run.run_bounded(&[]);
    assert_eq!(redis.read_rows(), once);
}
