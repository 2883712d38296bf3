//! The report of the writer to Redis.

use serde::{Deserialize, Serialize};

use super::reachability::ReachabilityReport;

/// Redis, as its writer sees it. Counts are since the start.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RedisReport {
    /// Whether Redis is reachable.
    pub reach: ReachabilityReport,
    /// Rows written.
    pub rows_written: u64,
    /// Rows written per second, over the last ten seconds.
    pub rows_per_s: f64,
    /// Transactions.
    pub transactions: u64,
    /// Seconds that all transactions took together.
    pub transaction_seconds: f64,
    /// Milliseconds that a typical recent transaction took.
    pub transaction_ms: f64,
    /// Bytes of rows that wait to be written.
    pub waiting_bytes: u64,
    /// Bytes of rows that may wait.
    pub waiting_bytes_limit: u64,
    /// Rows that Redis refused.
    pub rows_refused: u64,
    /// Rows discarded because their partition was lost.
    pub rows_dropped: u64,
    /// Connections opened after the first.
    pub reconnects: u64,
}
