//! What an instance measured over the last hour, as samples and marks for charts.

use serde::{Deserialize, Serialize};

/// What an instance measured during ten seconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistorySample {
    /// The beginning of the ten seconds: a multiple of 10,000, so that the samples of all instances align.
    #[serde(rename = "at_ms")]
    pub interval_start_ms: i64,
    /// The number of records read during the ten seconds.
    #[serde(rename = "records")]
    pub records_read: u64,
    /// The number of rows fired during the ten seconds.
    #[serde(rename = "rows")]
    pub rows_fired: u64,
    /// The number of unread records in Kafka at the end of the ten seconds; absent while unknown.
    pub lag: Option<u64>,
    /// Wall clock minus watermark at the end of the ten seconds, in the instance's partition with the smallest
    /// watermark.
    pub watermark_delay_ms: Option<i64>,
    /// The median delay of the written rows since the Kafka timestamp of the record that fired them.
    pub freshness_p50_ms: Option<f64>,
    /// The 99th percentile of the delay of the written rows since the Kafka timestamp of the record that fired them.
    pub freshness_p99_ms: Option<f64>,
}

/// Something that happened to the job, which charts show as a labelled vertical line.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ChartMark {
    /// The time at which the marked change happened.
    #[serde(rename = "at_ms")]
    pub occurred_at_ms: i64,
    /// One of `started`, `assigned`, `revoked`, `savepoint`, `checkpoint_failed`.
    #[serde(rename = "kind")]
    pub mark_kind: String,
    /// The label of the mark.
    #[serde(rename = "text")]
    pub label: String,
}

impl ChartMark {
    /// Returns whether the mark stands for a start, an assignment or a revocation, because each changes the owners of
    /// partitions.
    #[must_use]
    pub fn is_partition_owner_change(&self) -> bool {
        matches!(self.mark_kind.as_str(), "started" | "assigned" | "revoked")
    }
}
