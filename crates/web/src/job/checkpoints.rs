//! The checkpoints of all instances.

use serde::Serialize;

use super::job_report::JobReport;
use crate::report::{CheckpointCounts, CheckpointReport, CheckpointStatus, InstanceReport};

/// A summary of the newest complete checkpoint of every partition.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Debug)]
pub struct NewestCheckpointsSummary {
    /// The age of the oldest of these checkpoints, in milliseconds. A restart goes back at most this far.
    pub age_ms: Option<u64>,
    /// The configured interval of checkpoints, in milliseconds.
    pub every_ms: i64,
    /// The total size of these checkpoints with all layers, in bytes.
    pub state_bytes: u64,
    /// The number of bytes that these checkpoints added to the store.
    pub added_bytes: u64,
    /// The longest duration of one of these checkpoints, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The number of checkpoints that failed since the instances started.
    pub failed: u64,
}

impl JobReport {
    /// Returns the checkpoint counts, added up over all instances.
    #[must_use]
    pub fn total_checkpoint_counts(&self) -> CheckpointCounts {
        let counts = self.instances.iter().map(|instance| instance.checkpoint_counts);
        counts.fold(CheckpointCounts::default(), CheckpointCounts::plus)
    }

    /// Returns a summary of the newest complete checkpoint of every partition.
    #[must_use]
    pub fn summarize_newest_checkpoints(&self, every_ms: i64) -> NewestCheckpointsSummary {
        let failed = self.total_checkpoint_counts().failed;
        let mut last = NewestCheckpointsSummary { every_ms, failed, ..NewestCheckpointsSummary::default() };
        for owner in self.partition_owners() {
            last.age_ms = last.age_ms.max(owner.partition_report.checkpoint_age_ms);
            last.state_bytes += owner.partition_report.state_bytes;
            let completed = |checkpoint: &CheckpointReport| checkpoint.status == CheckpointStatus::Completed;
            if let Some(newest) =
                newest_matching_checkpoint(owner.instance, owner.partition_report.partition, completed)
            {
                last.added_bytes += newest.added_bytes;
                last.duration_ms = last.duration_ms.max(newest.ended_at_ms.map(|ended| ended - newest.began_at_ms));
            }
        }
        last
    }
}

/// Returns the newest checkpoint of a partition for which `matches` returns true. Ignores savepoints.
pub(super) fn newest_matching_checkpoint(
    instance: &InstanceReport,
    partition: i32,
    matches: impl Fn(&CheckpointReport) -> bool,
) -> Option<&CheckpointReport> {
    let is_checkpoint =
        |report: &&CheckpointReport| report.partition == partition && report.savepoint.is_none() && matches(report);
    instance.checkpoints.iter().find(is_checkpoint)
}
