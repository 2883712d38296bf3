//! What an instance measured over the last hour: samples for charts, and marks on the charts.

use serde::{Deserialize, Serialize};

/// What an instance measured in an interval of ten seconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistorySample {
    /// The beginning of the interval, in epoch milliseconds. The value is a multiple of 10,000, so that the samples of
    /// all instances cover the same intervals.
    #[serde(rename = "at_ms")]
    pub interval_start_ms: i64,
    /// The number of records read during the interval.
    #[serde(rename = "records")]
    pub records_read: u64,
    /// The number of rows that the workers passed to the Redis writer during the interval, because the rows' windows
    /// fired.
    #[serde(rename = "rows")]
    pub rows_fired: u64,
    /// The number of records of the instance's partitions that were unread in Kafka at the end of the interval; absent
    /// while unknown.
    pub lag: Option<u64>,
    /// The wall-clock time minus the smallest watermark of the instance's partitions, in milliseconds, at the end of
    /// the interval.
    pub watermark_delay_ms: Option<i64>,
    /// The median delay of the rows written during the interval, in milliseconds. The delay of a row begins at the
    /// Kafka timestamp of the record that made the row's window fire. The delay ends when Redis acknowledges the row.
    pub freshness_p50_ms: Option<f64>,
    /// The 99th percentile of the delays of the rows written during the interval, in milliseconds. The delay of a row
    /// begins at the Kafka timestamp of the record that made the row's window fire. The delay ends when Redis
    /// acknowledges the row.
    pub freshness_p99_ms: Option<f64>,
}

/// A change in the job, such as a start or a savepoint. Charts show the change as a vertical line with a label.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ChartMark {
    /// The time of the change.
    #[serde(rename = "at_ms")]
    pub occurred_at_ms: i64,
    /// The kind of change: `started`, `assigned`, `revoked`, `savepoint` or `checkpoint_failed`.
    #[serde(rename = "kind")]
    pub mark_kind: String,
    /// The label of the vertical line.
    #[serde(rename = "text")]
    pub mark_label: String,
}

impl ChartMark {
    /// Returns whether the change is the start of an instance, the assignment of partitions or the revocation of
    /// partitions. After each of these three, partitions can have new owners.
    #[must_use]
    pub fn is_partition_owner_change(&self) -> bool {
        matches!(self.mark_kind.as_str(), "started" | "assigned" | "revoked")
    }
}
