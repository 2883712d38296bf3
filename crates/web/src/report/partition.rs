//! The report of one owned partition.

use serde::{Deserialize, Serialize};

/// What an instance reports about a partition that it owns.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct PartitionReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch under which the instance has claimed the partition.
    pub epoch: u64,
    /// The index of the worker that processes the partition.
    #[serde(rename = "worker")]
    pub worker_index: usize,
    /// The offset of the next record to read; absent while unknown.
    #[serde(rename = "offset")]
    pub next_offset: Option<i64>,
    /// The offset after the last record of the partition in Kafka; absent while unknown.
    pub end_offset: Option<i64>,
    /// The number of unread records of the partition in Kafka; absent while unknown.
    pub lag: Option<u64>,
    /// The watermark of the partition, in epoch milliseconds.
    pub watermark_ms: Option<i64>,
    /// The largest event time of all records read from the partition, in epoch milliseconds.
    #[serde(rename = "event_time_ms")]
    pub largest_event_time_ms: Option<i64>,
    /// Whether the partition has no unread records, and the worker processed no record of the partition in the last ten
    /// seconds. While Kafka is unreachable, the value is `false`.
    #[serde(rename = "idle")]
    pub is_idle: bool,
    /// Whether the watermark follows the wall clock, because the partition was read to its end and no record has come for
    /// the idle timeout of the pipeline.
    pub follows_clock: bool,
    /// The time at which the worker last processed a record of the partition.
    #[serde(rename = "last_record_at_ms")]
    pub last_record_processed_at_ms: Option<i64>,
    /// The Kafka timestamp of the record that the worker processed last in this partition, in epoch milliseconds.
    #[serde(rename = "last_appended_ms")]
    pub last_record_kafka_timestamp_ms: Option<i64>,
    /// The number of records of the partition that the worker has read since it opened the partition.
    #[serde(rename = "records")]
    pub records_read: u64,
    /// The number of records read per second, averaged over the last ten seconds.
    #[serde(rename = "records_per_s")]
    pub records_read_per_s: f64,
    /// The number of entities for which the partition's shard holds state.
    #[serde(rename = "entities")]
    pub entity_count: u64,
    /// The total size of the base and all deltas of the last complete checkpoint, in bytes.
    #[serde(rename = "state_bytes")]
    pub last_checkpoint_bytes: u64,
    /// The offset of the first record that the last complete checkpoint does not include.
    #[serde(rename = "checkpoint_offset")]
    pub last_checkpoint_offset: Option<i64>,
    /// The time since the cut of the last complete checkpoint, in milliseconds. The cut is the moment at which the
    /// checkpoint's snapshot was taken.
    #[serde(rename = "checkpoint_age_ms")]
    pub last_checkpoint_age_ms: Option<u64>,
}
