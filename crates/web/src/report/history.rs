//! The last hour of an instance, for charts.

use serde::{Deserialize, Serialize};

/// Ten seconds of the last hour.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistorySample {
    /// When the ten seconds begin: a multiple of ten seconds.
    pub at_ms: i64,
    /// Records read in these ten seconds.
    pub records: u64,
    /// Rows fired in these ten seconds.
    pub rows: u64,
    /// Lag in records at their end.
    pub lag: Option<u64>,
    /// Wall clock minus watermark at their end; the largest over the instance's partitions.
    pub watermark_delay_ms: Option<i64>,
    /// The median delay from Kafka to Redis of the rows written in them.
    pub freshness_p50_ms: Option<f64>,
    /// The 99th percentile of the same delay.
    pub freshness_p99_ms: Option<f64>,
}

/// Something that happened to the job, marked on a chart.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ChartMark {
    /// When it happened.
    pub at_ms: i64,
    /// `started`, `assigned`, `revoked`, `savepoint`, `checkpoint_failed`.
    pub kind: String,
    /// The label of the mark.
    pub text: String,
}

impl ChartMark {
    /// Returns whether the mark stands for a change of owners: a start, or an assignment or revocation of partitions.
    #[must_use]
    pub fn changes_owners(&self) -> bool {
        matches!(self.kind.as_str(), "started" | "assigned" | "revoked")
    }
}
