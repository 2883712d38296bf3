//! The report of the Redis writer.

use serde::{Deserialize, Serialize};

use super::reachability::ReachabilityReport;

/// The state of the Redis writer. Counts begin when the instance starts.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RedisReport {
    /// Whether Redis is reachable.
    pub reach: ReachabilityReport,
    /// The number of rows written.
    pub rows_written: u64,
    /// The number of rows written per second, over the last ten seconds.
    pub rows_per_s: f64,
    /// The number of transactions.
    pub transactions: u64,
    /// The total duration of all transactions, in seconds.
    pub transaction_seconds: f64,
    /// The typical duration of a recent transaction, in milliseconds.
    pub transaction_ms: f64,
    /// The number of bytes of rows in the write queue.
    pub waiting_bytes: u64,
    /// The largest number of bytes of rows that may be in the write queue.
    pub waiting_bytes_limit: u64,
    /// The number of rows that Redis refused.
    pub rows_refused: u64,
    /// The number of rows that were discarded because their partition was lost.
    pub rows_dropped: u64,
    /// The number of connections opened after the first.
    pub reconnects: u64,
}
