//! The report of one worker thread.

use serde::{Deserialize, Serialize};

/// A worker is stuck if its loop has completed no iteration for this long.
const HEARTBEAT_AGE_MAX_MS: u64 = 30_000;

/// The report of one worker thread. Counts begin when the instance starts. Rates cover the last ten seconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct WorkerReport {
    /// The number of records read, including dead letters.
    pub records: u64,
    /// The number of bytes in these records.
    pub bytes: u64,
    /// The number of records read per second.
    pub records_per_s: f64,
    /// The number of records that could not be decoded into events.
    pub dead_letters: u64,
    /// The number of rows that Redis refused.
    pub refused_rows: u64,
    /// The number of recomputed rows that were already in Redis.
    pub rows_there: u64,
    /// The number of users with state.
    pub entities: u64,
    /// The time spent on records, in milliseconds.
    pub busy_ms: u64,
    /// The time spent waiting for records, in milliseconds.
    pub idle_ms: u64,
    /// The time spent waiting for Redis to accept rows, in milliseconds.
    pub backpressured_ms: u64,
    /// The milliseconds per second spent on records. The three rates add up to about 1,000.
    pub busy_ms_per_s: f64,
    /// The milliseconds per second spent waiting for records.
    pub idle_ms_per_s: f64,
    /// The milliseconds per second spent waiting for Redis to accept rows.
    pub backpressured_ms_per_s: f64,
    /// The share of busy time spent on decoding, from samples. The rest is spent on windows.
    pub decode_share: f64,
    /// The longest delay of the worker's records by a snapshot of the state, in milliseconds.
    pub pause_ms_max: f64,
    /// The time since the worker's loop last completed an iteration, in milliseconds.
    pub beat_age_ms: u64,
}

impl WorkerReport {
    /// Returns whether the worker's loop has completed no iteration for 30 seconds.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.beat_age_ms >= HEARTBEAT_AGE_MAX_MS
    }

    /// Returns the number of records that were decoded into events.
    #[must_use]
    pub const fn decoded_event_count(&self) -> u64 {
        self.records.saturating_sub(self.dead_letters)
    }
}
