//! The counters of the writer at one moment.

use std::time::Duration;

use crate::outage::DependencyOutage;

/// The counters and gauges of the writer, for logs and metrics. Counters never decrease.
#[derive(Clone, Default, Debug)]
pub struct RedisWriterStatus {
    /// The number of rows written to Redis.
    pub rows_written: u64,
    /// The number of transactions that wrote rows.
    pub transaction_count: u64,
    /// The total duration of all transactions that wrote rows. Includes the commands that the writer sends before each
    /// transaction to read fences and check keys.
    pub total_transaction_time: Duration,
    /// The number of rows that Redis refused.
    pub rows_refused: u64,
    /// The number of rows that were dropped because their partition was lost.
    pub rows_of_lost_partitions: u64,
    /// The number of bytes of the rows that are now queued or in flight.
    pub unacknowledged_bytes: usize,
    /// The largest permitted number of queued and in-flight bytes. A worker that would exceed this limit waits.
    pub unacknowledged_bytes_limit: usize,
    /// The largest number of queued and in-flight bytes since the start of the writer.
    pub unacknowledged_bytes_peak: usize,
    /// The number of connections that the writer opened after its first connection.
    pub reconnect_count: u64,
    /// The ongoing outage; `None` while Redis accepts rows, and replicas and disks acknowledge them.
    pub ongoing_outage: Option<DependencyOutage>,
    /// The latest fault of Redis. The fault may have ended.
    pub last_error: Option<String>,
}
