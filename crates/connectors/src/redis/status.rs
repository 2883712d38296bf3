//! What the writer can say about itself.

use std::time::Duration;

/// Figures for logs and metrics. The counters only grow.
#[derive(Clone, Default, Debug)]
pub struct RedisWriterStatus {
    /// Rows that are in Redis.
    pub rows_written: u64,
    /// Transactions that brought them there.
    pub transactions: u64,
    /// How long these took together, questions included.
    pub transaction_time: Duration,
    /// Rows that Redis refused.
    pub rows_refused: u64,
    /// Rows that were dropped because their partition was lost.
    pub rows_dropped: u64,
    /// Bytes of rows that wait or are under way.
    pub waiting_bytes: usize,
    /// How many may.
    pub waiting_bytes_limit: usize,
    /// The most that ever did.
    pub waiting_bytes_peak: usize,
    /// Connections opened after the first.
    pub reconnects: u64,
    /// Why and for how long nothing has been getting through; `None` while all is well.
    pub outage: Option<RedisOutage>,
    /// The latest fault, also when it is over.
    pub last_error: Option<String>,
}

/// An outage that is not over.
#[derive(Clone, Debug)]
pub struct RedisOutage {
    /// How long it has lasted.
    pub duration: Duration,
    /// The latest reason.
    pub reason: String,
}
