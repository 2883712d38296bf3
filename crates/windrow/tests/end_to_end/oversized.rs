//! Records that are far larger than an event, and compressed batches that expand to a huge size (fault row 24).

use windrow_test_support::wait_until;

use crate::support::kafka::{OutgoingRecord, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::TestJob;

const MIB: u64 = 1024 * 1024;

fn event(user: &str) -> OutgoingRecord {
    let payload = format!(r#"{{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"{user}","price":1}}"#);
    OutgoingRecord {
        partition: Some(0),
        key: Some(user.as_bytes().to_vec()),
        payload: Some(payload.into_bytes()),
        ..OutgoingRecord::default()
    }
}

fn blank_record(bytes: usize) -> OutgoingRecord {
    OutgoingRecord {
        partition: Some(0),
        key: Some(b"bomb".to_vec()),
        payload: Some(vec![b' '; bytes]),
        ..OutgoingRecord::default()
    }
}

/// A record of 8 MiB, and batches of less than 1 MiB that expand to 48 MiB, become dead letters. The records before and
/// after them count, and memory stays bounded.
#[test]
fn oversized_records_are_dead_letters() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[("max.message.bytes", "10000000")]);
    let sizes = [("message.max.bytes", "100000000")];
    let with = |codec: &'static str| [sizes[0], ("compression.type", codec)];
    kafka.produce(&topic, &[event("before")]);
    kafka.produce_with_settings(&topic, &[blank_record(8 << 20)], &with("none"));
    for codec in ["gzip", "lz4", "zstd"] {
        kafka.produce_with_settings(&topic, &[blank_record(48 << 20)], &with(codec));
    }
    kafka.produce(&topic, &[event("behind")]);

    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--workers", "1"], &log);
    wait_until("everything is read", || kafka.committed_offsets(&run.group, &topic, 1) == [6]);
    let resident_max = running.peak_resident_bytes();
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(0));
    let log = std::fs::read_to_string(log).expect("a log");
    assert_eq!(log.matches("but the limit is 1048576 bytes").count(), 4, "{log}");
    assert!(resident_max < 400 * MIB, "{} MiB", resident_max / MIB);
}

/// A batch that librdkafka refuses to decompress because it would exceed 100 MB becomes one dead letter. Reading continues
/// right after it, also when it is the first batch.
#[test]
fn batches_that_unpack_to_too_much_are_passed() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(2, &[]);
    let bomb = [
        ("message.max.bytes", "1000000000"),
        ("batch.size", "1000000000"),
        ("queue.buffering.max.kbytes", "2000000"),
        ("compression.type", "zstd"),
        ("linger.ms", "5000"),
    ];
    let blanks = || OutgoingRecord { partition: Some(1), ..blank_record(60 << 20) };
    let event = |user| OutgoingRecord { partition: Some(1), ..event(user) };
    kafka.produce_with_settings(&topic, &[blanks(), blanks()], &bomb);
    kafka.produce(&topic, &[event("between"), event("between")]);
    kafka.produce_with_settings(&topic, &[blanks(), blanks(), blanks(), blanks(), blanks()], &bomb);
    kafka.produce(&topic, &[event("behind")]);

    let folder = tempfile::tempdir().expect("a folder");
    let (log, dead) = (folder.path().join("log"), folder.path().join("dead.jsonl"));
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("dead_letters.file={}", dead.display()));
    let mut running = run.start(&["--bounded", "--workers", "1"], &log);
    let mut resident_max = 0;
    wait_until("everything is read", || {
        resident_max = resident_max.max(running.peak_resident_bytes());
        kafka.committed_offsets(&run.group, &topic, 2)[1] == 10
    });
    assert_eq!(running.wait_for_exit(), Some(0));
    assert!(resident_max < 400 * MIB, "{} MiB", resident_max / MIB);
    let contents = redis.read_rows();
    assert_eq!(contents["user_features:between"]["view_count_1h"], "2");
    assert_eq!(contents["user_features:behind"]["view_count_1h"], "1");
    let dead = std::fs::read_to_string(dead).expect("dead letters");
    let reasons: Vec<_> = dead.lines().filter(|line| line.contains("cannot be decompressed")).collect();
    assert_eq!(reasons.len(), 2, "{dead}");
    assert!(reasons[0].contains("from offset 0 to 1 cannot"), "{dead}");
    assert!(reasons[1].contains("from offset 4 to 8 cannot"), "{dead}");
}
