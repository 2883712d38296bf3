//! What a topic's content must leave in Redis, and which rows there are on the way: `windrow replay`, partition by partition.

use std::collections::BTreeMap;
use std::path::Path;

use super::kafka::{Kafka, Sent};
use super::redis::Contents;
use super::rows::{Fields, keyed, last_per_key};
use super::windrow::replay;

/// Far enough ahead of all test events to close every window of theirs.
const CLOSING: &str = "2024-02-01T12:00:00";

/// One event per partition that closes all windows in it.
pub(crate) fn closing_events(partitions: i32) -> Vec<Sent> {
    (0..partitions)
        .map(|partition| {
            let payload = format!(r#"{{"event_time":"{CLOSING}","event_type":"view","user_id":"closing"}}"#);
            Sent { partition: Some(partition), key: Some(b"closing".to_vec()), payload: Some(payload.into_bytes()) }
        })
        .collect()
}

/// The values in one partition.
pub(crate) fn lines(kafka: &Kafka, topic: &str, partition: i32) -> Vec<Vec<u8>> {
    kafka.read(topic, partition).into_iter().map(|record| record.payload.unwrap_or_default()).collect()
}

/// What an uninterrupted run does.
pub(crate) struct Expected {
    /// What is in Redis while the job still runs: everything but the closing events' own windows.
    pub(crate) contents: Contents,
    /// For every key, its rows in the order they are written.
    pub(crate) sequences: BTreeMap<String, Vec<Fields>>,
}

/// Reads `topic` and replays it through `pipeline`.
pub(crate) fn expected(kafka: &Kafka, topic: &str, partitions: i32, pipeline: &Path) -> Expected {
    let mut expected = Expected { contents: Contents::new(), sequences: BTreeMap::new() };
    for partition in 0..partitions {
        let rows = replay(pipeline, &lines(kafka, topic, partition));
        expected.contents.extend(last_per_key(rows.lines()));
        for row in rows.lines().filter_map(keyed) {
            expected.sequences.entry(row.key).or_default().push(row.fields);
        }
    }
    expected.contents.retain(|key, _| !key.contains(":closing"));
    expected
}
