//! Checkpoints and freshness over all instances.

use serde::Serialize;

use super::{JobReport, history};
use crate::report::{CheckpointCounts, CheckpointStatus, HistogramReport};

/// What the last checkpoints of all partitions were like.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Debug)]
pub struct LastCheckpoint {
    /// Age of the oldest among the partitions' newest: what a restart would go back by.
    pub age_ms: Option<u64>,
    /// How often they are to be taken.
    pub every_ms: i64,
    /// Bytes of all of them.
    pub state_bytes: u64,
    /// Bytes that the newest of each partition added.
    pub added_bytes: u64,
    /// How long the longest of these took.
    pub duration_ms: Option<i64>,
    /// Failed since the instances started.
    pub failed: u64,
}

impl JobReport {
    /// Counts over all instances.
    #[must_use]
    pub fn checkpoint_counts(&self) -> CheckpointCounts {
        let mut sum = CheckpointCounts::default();
        for counts in self.instances.iter().map(|one| one.checkpoint_counts) {
            sum.completed += counts.completed;
            sum.failed += counts.failed;
            sum.in_progress += counts.in_progress;
            sum.restored += counts.restored;
            sum.fenced += counts.fenced;
        }
        sum
    }

    /// The last checkpoints.
    #[must_use]
    pub fn last_checkpoint(&self, every_ms: i64) -> LastCheckpoint {
        let mut last =
            LastCheckpoint { every_ms, failed: self.checkpoint_counts().failed, ..LastCheckpoint::default() };
        for (instance, partition) in self.owned_partitions() {
            last.age_ms = last.age_ms.max(partition.checkpoint_age_ms);
            last.state_bytes += partition.state_bytes;
            let newest = instance.checkpoints.iter().find(|one| {
                one.partition == partition.partition
                    && one.status == CheckpointStatus::Completed
                    && one.savepoint.is_none()
            });
            if let Some(newest) = newest {
                last.added_bytes += newest.added_bytes;
                last.duration_ms = last.duration_ms.max(newest.ended_at_ms.map(|ended| ended - newest.began_at_ms));
            }
        }
        last
    }

    /// Recent median and 99th percentile, in milliseconds, of the instance where they are worst.
    #[must_use]
    pub fn freshness(
        &self,
        of: impl Fn(&crate::report::FreshnessReport) -> &HistogramReport,
    ) -> (Option<f64>, Option<f64>) {
        let all = || self.instances.iter().map(|one| of(&one.freshness));
        let worst =
            |quantile: fn(&HistogramReport) -> Option<f64>| all().map(quantile).fold(None, history::larger_quantile);
        (worst(|histogram| histogram.p50_ms), worst(|histogram| histogram.p99_ms))
    }
}
