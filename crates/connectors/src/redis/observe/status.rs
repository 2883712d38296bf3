//! The writer's counters at one moment.

use std::time::Duration;

use crate::outage::DependencyOutage;

/// Figures for logs and metrics. The counters only grow.
#[derive(Clone, Default, Debug)]
pub struct RedisWriterStatus {
    /// Rows that were written to Redis.
    pub rows_written: u64,
    /// Transactions that wrote them.
    pub transactions: u64,
    /// How long these took together, with the round trip that asks for fences and keys.
    pub transaction_time: Duration,
    /// Rows that Redis refused.
    pub rows_refused: u64,
    /// Rows that were dropped because their partition was lost.
    pub rows_dropped: u64,
    /// Bytes of rows that are queued or in flight.
    pub waiting_bytes: usize,
    /// The largest allowed value of `waiting_bytes`.
    pub waiting_bytes_limit: usize,
    /// The largest value of `waiting_bytes` so far.
    pub waiting_bytes_peak: usize,
    /// Connections opened after the first.
    pub reconnects: u64,
    /// The outage that is not over; `None` while Redis takes rows.
    pub outage: Option<DependencyOutage>,
    /// The latest fault, even if it is over.
    pub last_error: Option<String>,
}
