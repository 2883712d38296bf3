//! The rows that a topic's records must produce in Redis, computed by `windrow replay` for each partition.

use std::collections::BTreeMap;
use std::path::Path;

use super::kafka::{OutgoingRecord, TestKafka};
use super::redis::RowsByKey;
use super::rows::{RowFields, last_row_per_key, parse_keyed_row};
use super::windrow::run_replay;

/// An event time that closes all windows of the test events.
const CLOSING_TIME: &str = "2024-02-01T12:00:00";

/// Returns one event per partition that closes all its windows.
pub(crate) fn closing_events(partitions: i32) -> Vec<OutgoingRecord> {
    (0..partitions).map(|partition| OutgoingRecord { partition: Some(partition), ..closing_event("closing") }).collect()
}

/// Returns an event of `user` that closes all windows of its partition.
pub(crate) fn closing_event(user: &str) -> OutgoingRecord {
    let payload = format!(r#"{{"event_time":"{CLOSING_TIME}","event_type":"view","user_id":"{user}"}}"#);
    OutgoingRecord { key: Some(user.into()), payload: Some(payload.into_bytes()), ..OutgoingRecord::default() }
}

/// Reads the values of one partition's records.
pub(crate) fn partition_payloads(kafka: &TestKafka, topic: &str, partition: i32) -> Vec<Vec<u8>> {
    kafka.read_partition(topic, partition).into_iter().map(|record| record.payload.unwrap_or_default()).collect()
}

/// The rows of an uninterrupted run.
pub(crate) struct ExpectedRows {
    /// The content of Redis while the job still runs: all rows except those of the closing events.
    pub(crate) contents: RowsByKey,
    /// The rows of every key in the order of writing.
    pub(crate) sequences: BTreeMap<String, Vec<RowFields>>,
}

/// Reads `topic` and replays it through `pipeline`.
pub(crate) fn replay_expected_rows(kafka: &TestKafka, topic: &str, partitions: i32, pipeline: &Path) -> ExpectedRows {
    let mut expected = ExpectedRows { contents: RowsByKey::new(), sequences: BTreeMap::new() };
    for partition in 0..partitions {
        let rows = run_replay(pipeline, &partition_payloads(kafka, topic, partition));
        expected.contents.extend(last_row_per_key(rows.lines()));
        for row in rows.lines().filter_map(parse_keyed_row) {
            expected.sequences.entry(row.key).or_default().push(row.fields);
        }
    }
    expected.contents.retain(|key, _| !key.contains(":closing"));
    expected
}
