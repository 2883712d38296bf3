//! The report of the Redis writer.

use serde::{Deserialize, Serialize};

use super::reachability::ReachabilityReport;

/// What the Redis writer of an instance reports. Counts begin when the instance starts.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RedisWriterReport {
    /// Whether Redis is reachable.
    #[serde(rename = "reach")]
    pub reachability: ReachabilityReport,
    /// The number of rows written to Redis.
    pub rows_written: u64,
    /// The number of rows written per second, averaged over the last ten seconds.
    #[serde(rename = "rows_per_s")]
    pub rows_written_per_s: f64,
    /// The number of transactions that wrote rows.
    #[serde(rename = "transactions")]
    pub transaction_count: u64,
    /// The total duration of all transactions that wrote rows, in seconds.
    #[serde(rename = "transaction_seconds")]
    pub total_transaction_s: f64,
    /// The mean duration of the transactions that ended in the last ten seconds, in milliseconds. If no transaction
    /// ended in this time, the field holds the mean duration of all transactions since the instance started.
    #[serde(rename = "transaction_ms")]
    pub recent_mean_transaction_ms: f64,
    /// The total size of the rows that are queued or in flight, in bytes.
    #[serde(rename = "waiting_bytes")]
    pub unacknowledged_bytes: u64,
    /// The largest permitted total size of the rows that are queued or in flight, in bytes. At this limit, workers wait
    /// before they queue more rows.
    #[serde(rename = "waiting_bytes_limit")]
    pub unacknowledged_bytes_max: u64,
    /// The number of rows that Redis refused.
    pub rows_refused: u64,
    /// The number of rows that the writer discarded, because another owner had claimed the rows' partition.
    #[serde(rename = "rows_dropped")]
    pub rows_of_lost_partitions: u64,
    /// The number of connections to Redis that the writer opened after its first connection.
    #[serde(rename = "reconnects")]
    pub reconnect_count: u64,
}
