//! The report of one worker thread.

use serde::{Deserialize, Serialize};

/// A worker whose loop has not completed a turn for this long is stuck.
const HEARTBEAT_AGE_MAX_MS: u64 = 30_000;

/// One worker thread. Counts are since the start; rates cover the last ten seconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct WorkerReport {
    /// Records read, dead letters included.
    pub records: u64,
    /// Bytes of these records.
    pub bytes: u64,
    /// Records read per second.
    pub records_per_s: f64,
    /// Records that were not events.
    pub dead_letters: u64,
    /// Rows that Redis refused.
    pub refused_rows: u64,
    /// Rows that were already in Redis when they were computed again.
    pub rows_there: u64,
    /// Entities with state.
    pub entities: u64,
    /// Milliseconds spent on records.
    pub busy_ms: u64,
    /// Milliseconds spent waiting for records.
    pub idle_ms: u64,
    /// Milliseconds spent waiting for Redis to accept rows.
    pub backpressured_ms: u64,
    /// Milliseconds per second spent on records. The three rates add up to about 1,000.
    pub busy_ms_per_s: f64,
    /// Milliseconds per second spent waiting for records.
    pub idle_ms_per_s: f64,
    /// Milliseconds per second spent waiting for Redis to accept rows.
    pub backpressured_ms_per_s: f64,
    /// The sampled share of busy time that goes into decoding; the rest goes into windows.
    pub decode_share: f64,
    /// The longest time in milliseconds for which saving state delayed the worker's records.
    pub pause_ms_max: f64,
    /// Milliseconds since the worker's loop last completed a turn.
    pub beat_age_ms: u64,
}

impl WorkerReport {
    /// Returns whether the worker's loop has not completed a turn for 30 seconds.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.beat_age_ms >= HEARTBEAT_AGE_MAX_MS
    }

    /// Returns the records that were decoded into events.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.records.saturating_sub(self.dead_letters)
    }
}
