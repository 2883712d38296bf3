//! The report of one owned partition.

use serde::{Deserialize, Serialize};

/// A partition that the instance owns.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct PartitionReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch under which it is owned.
    pub epoch: u64,
    /// The number of the worker that owns it.
    pub worker: usize,
    /// The offset of the next record.
    pub offset: Option<i64>,
    /// The offset after the last record in Kafka, as far as it is known.
    pub end_offset: Option<i64>,
    /// Records between the two offsets.
    pub lag: Option<u64>,
    /// The watermark, in epoch milliseconds.
    pub watermark_ms: Option<i64>,
    /// The largest event time so far, in epoch milliseconds.
    pub event_time_ms: Option<i64>,
    /// Whether all records were read and none has arrived for ten seconds.
    pub idle: bool,
    /// When the last record arrived.
    pub last_record_at_ms: Option<i64>,
    /// The Kafka timestamp of that record: when it was produced or appended.
    pub last_appended_ms: Option<i64>,
    /// Records read since the partition was opened by this instance.
    pub records: u64,
    /// Records per second, over the last ten seconds.
    pub records_per_s: f64,
    /// Users with state in the partition.
    pub entities: u64,
    /// Bytes of the last checkpoint, all layers together.
    pub state_bytes: u64,
    /// The offset of the last complete checkpoint.
    pub checkpoint_offset: Option<i64>,
    /// The age in milliseconds of the last complete checkpoint.
    pub checkpoint_age_ms: Option<u64>,
}
