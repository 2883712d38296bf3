//! The report of one worker thread.

use serde::{Deserialize, Serialize};

/// A worker counts as stuck if the worker has made no progress for this long.
const MAX_HEARTBEAT_AGE_MS: u64 = 30_000;

/// What a worker thread reports. Counts begin when the instance starts. Rates are averages over the last ten seconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct WorkerReport {
    /// The number of records read, including undecodable records.
    #[serde(rename = "records")]
    pub records_read: u64,
    /// The number of bytes in all records read.
    #[serde(rename = "bytes")]
    pub bytes_read: u64,
    /// The number of records read per second.
    #[serde(rename = "records_per_s")]
    pub records_read_per_s: f64,
    /// The number of records that could not be decoded into events.
    #[serde(rename = "dead_letters")]
    pub undecodable_record_count: u64,
    /// The number of events that are later than the wall clock allows, and became dead letters.
    #[serde(rename = "future_events")]
    pub future_event_count: u64,
    /// The number of events that were late for at least one feature view.
    #[serde(rename = "late_events")]
    pub late_event_count: u64,
    /// The number of records in another partition than the other records of their entity.
    #[serde(rename = "misplaced_records")]
    pub misplaced_record_count: u64,
    /// The number of events whose time would be near the time of their record in another unit or format.
    #[serde(rename = "misread_event_times")]
    pub misread_event_time_count: u64,
    /// The number of texts in events that were too long for the aggregates that would keep them.
    #[serde(rename = "oversized_texts")]
    pub oversized_text_count: u64,
    /// The number of rows that Redis refused.
    #[serde(rename = "refused_rows")]
    pub refused_row_count: u64,
    /// The number of rows that the worker computed again after a restore and did not write, because Redis already held
    /// these rows.
    #[serde(rename = "rows_there")]
    pub rows_already_written: u64,
    /// The number of entities for which the worker holds state.
    #[serde(rename = "entities")]
    pub entity_count: u64,
    /// The time that the worker spent processing records, in milliseconds.
    pub busy_ms: u64,
    /// The time that the worker spent waiting for records, in milliseconds.
    pub idle_ms: u64,
    /// The time that the worker spent waiting for Redis to accept rows, in milliseconds.
    pub backpressured_ms: u64,
    /// The milliseconds per second that the worker spent processing records. Busy, idle and backpressured milliseconds
    /// per second add up to about 1,000.
    pub busy_ms_per_s: f64,
    /// The milliseconds per second that the worker spent waiting for records.
    pub idle_ms_per_s: f64,
    /// The milliseconds per second that the worker spent waiting for Redis to accept rows.
    pub backpressured_ms_per_s: f64,
    /// The share of its busy time that the worker spends decoding records, from 0 to 1. The worker estimates this share
    /// from a sample of the records.
    #[serde(rename = "decode_share")]
    pub decode_share_of_busy_time: f64,
    /// The longest time for which the worker paused the processing of records in order to take a snapshot, in
    /// milliseconds.
    #[serde(rename = "pause_ms_max")]
    pub longest_snapshot_pause_ms: f64,
    /// The time since the worker last made progress, in milliseconds. A worker makes progress when its run loop
    /// completes an iteration, and while it waits for Redis to accept rows.
    #[serde(rename = "beat_age_ms")]
    pub heartbeat_age_ms: u64,
}

impl WorkerReport {
    /// Returns whether the worker has made no progress for 30 seconds.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.heartbeat_age_ms >= MAX_HEARTBEAT_AGE_MS
    }

    /// Returns the number of records that were decoded into events.
    #[must_use]
    pub const fn decoded_event_count(&self) -> u64 {
        self.records_read.saturating_sub(self.undecodable_record_count)
    }
}
