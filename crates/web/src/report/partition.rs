//! The report of one owned partition.

use serde::{Deserialize, Serialize};

/// The report of a partition that the instance owns.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct PartitionReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch in which the instance owns the partition.
    pub epoch: u64,
    /// The number of the worker that processes the partition.
    pub worker: usize,
    /// The offset of the next record to read.
    pub offset: Option<i64>,
    /// The offset after the last record in Kafka; absent while unknown.
    pub end_offset: Option<i64>,
    /// The number of records from `offset` to `end_offset`.
    pub lag: Option<u64>,
    /// The watermark, in epoch milliseconds.
    pub watermark_ms: Option<i64>,
    /// The largest event time of all records read, in epoch milliseconds.
    pub event_time_ms: Option<i64>,
    /// Whether all records were read and no record has arrived for ten seconds.
    pub idle: bool,
    /// The time at which the last record arrived.
    pub last_record_at_ms: Option<i64>,
    /// The Kafka timestamp of the last record: when the record was produced or appended.
    pub last_appended_ms: Option<i64>,
    /// The number of records read since this instance opened the partition.
    pub records: u64,
    /// The number of records read per second, over the last ten seconds.
    pub records_per_s: f64,
    /// The number of users with state in the partition.
    pub entities: u64,
    /// The size in bytes of the last checkpoint with all layers.
    pub state_bytes: u64,
    /// The offset of the last complete checkpoint.
    pub checkpoint_offset: Option<i64>,
    /// The age of the last complete checkpoint, in milliseconds.
    pub checkpoint_age_ms: Option<u64>,
}
