//! Checkpoints over all instances.

use serde::Serialize;

use super::job_report::JobReport;
use crate::report::{CheckpointCounts, CheckpointReport, CheckpointStatus, InstanceReport};

/// The newest complete checkpoints of all partitions, in sum.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Debug)]
pub struct LastCheckpoint {
    /// The age of the oldest of them, in milliseconds: as far a restart would go back.
    pub age_ms: Option<u64>,
    /// The configured interval of checkpoints, in milliseconds.
    pub every_ms: i64,
    /// Bytes of all of them, with all layers.
    pub state_bytes: u64,
    /// Bytes that they added.
    pub added_bytes: u64,
    /// How long the longest of them took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// Checkpoints that failed since the instances started.
    pub failed: u64,
}

impl JobReport {
    /// Returns the counts, added up over all instances.
    #[must_use]
    pub fn checkpoint_counts(&self) -> CheckpointCounts {
        let counts = self.instances.iter().map(|instance| instance.checkpoint_counts);
        counts.fold(CheckpointCounts::default(), CheckpointCounts::plus)
    }

    /// Returns the newest complete checkpoints of all partitions, in sum.
    #[must_use]
    pub fn last_checkpoint(&self, every_ms: i64) -> LastCheckpoint {
        let failed = self.checkpoint_counts().failed;
        let mut last = LastCheckpoint { every_ms, failed, ..LastCheckpoint::default() };
        for owner in self.owned_partitions() {
            last.age_ms = last.age_ms.max(owner.report.checkpoint_age_ms);
            last.state_bytes += owner.report.state_bytes;
            let completed = |checkpoint: &CheckpointReport| checkpoint.status == CheckpointStatus::Completed;
            if let Some(newest) = newest_checkpoint(owner.instance, owner.report.partition, completed) {
                last.added_bytes += newest.added_bytes;
                last.duration_ms = last.duration_ms.max(newest.ended_at_ms.map(|ended| ended - newest.began_at_ms));
            }
        }
        last
    }
}

/// Returns the newest checkpoint of a partition that `matches`; savepoints are left out.
pub(super) fn newest_checkpoint(
    instance: &InstanceReport,
    partition: i32,
    matches: impl Fn(&CheckpointReport) -> bool,
) -> Option<&CheckpointReport> {
    let is_checkpoint =
        |report: &&CheckpointReport| report.partition == partition && report.savepoint.is_none() && matches(report);
    instance.checkpoints.iter().find(is_checkpoint)
}
