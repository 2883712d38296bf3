//! The history of an instance over the last hour, for charts.

use serde::{Deserialize, Serialize};

/// The measurements of one interval of ten seconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistorySample {
    /// The beginning of the interval: a multiple of ten seconds.
    pub at_ms: i64,
    /// The number of records read in the interval.
    pub records: u64,
    /// The number of rows fired in the interval.
    pub rows: u64,
    /// The lag in records at the end of the interval.
    pub lag: Option<u64>,
    /// Wall clock minus watermark at the end of the interval: the largest over the instance's partitions.
    pub watermark_delay_ms: Option<i64>,
    /// The median delay from Kafka to Redis of the rows written in the interval.
    pub freshness_p50_ms: Option<f64>,
    /// The 99th percentile of the delay from Kafka to Redis.
    pub freshness_p99_ms: Option<f64>,
}

/// An event in the life of the job that charts mark.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ChartMark {
    /// The time of the event.
    pub at_ms: i64,
    /// One of `started`, `assigned`, `revoked`, `savepoint`, `checkpoint_failed`.
    pub kind: String,
    /// The label of the mark.
    pub text: String,
}

impl ChartMark {
    /// Returns whether the mark stands for a change of partition owners: a start, an assignment or a revocation.
    #[must_use]
    pub fn changes_owners(&self) -> bool {
        matches!(self.kind.as_str(), "started" | "assigned" | "revoked")
    }
}
