//! Records that are far larger than an event, and small batches that unpack to something huge (FAULTS row 24).

use std::time::Duration;

use crate::support::eventually;
use crate::support::kafka::{Sent, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::Run;

const MIB: u64 = 1024 * 1024;

fn event(user: &str) -> Sent {
    let payload = format!(r#"{{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"{user}","price":1}}"#);
    Sent { partition: Some(0), key: Some(user.as_bytes().to_vec()), payload: Some(payload.into_bytes()) }
}

fn blanks(bytes: usize) -> Sent {
    Sent { partition: Some(0), key: Some(b"bomb".to_vec()), payload: Some(vec![b' '; bytes]) }
}

/// A record of 8 MiB, and batches of under a mebibyte that unpack to 48 MiB with every codec that packs that tightly:
/// dead letters, what stands before and behind them counts, and memory stays bounded.
#[test]
fn oversized_records_are_dead_letters() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_topic(1, &[("max.message.bytes", "10000000")]);
    let sizes = [("message.max.bytes", "100000000")];
    let with = |codec: &'static str| [sizes[0], ("compression.type", codec)];
    kafka.produce(&topic, &[event("before")]);
    kafka.produce_with(&topic, &[blanks(8 << 20)], &with("none"));
    for codec in ["gzip", "lz4", "zstd"] {
        kafka.produce_with(&topic, &[blanks(48 << 20)], &with(codec));
    }
    kafka.produce(&topic, &[event("behind")]);

    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = Run::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--workers", "1"], &log);
    eventually(60, "everything is read", || kafka.committed(&run.group, &topic, 1) == [6]);
    let resident_max = running.resident_max();
    running.signal("-TERM");
    assert_eq!(running.wait(Duration::from_secs(10)), Some(0));
    let log = std::fs::read_to_string(log).expect("a log");
    assert_eq!(log.matches("at most 1048576 are read").count(), 4, "{log}");
    assert!(resident_max < 400 * MIB, "{} MiB", resident_max / MIB);
}
