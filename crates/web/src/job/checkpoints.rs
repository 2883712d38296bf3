//! A summary of the job's checkpoints, computed from the reports of all instances.

use serde::Serialize;

use super::job_report::JobReport;
use crate::report::{CheckpointCounts, CheckpointReport, CheckpointStatus, InstanceReport};

/// A summary of the newest complete checkpoint of every partition.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Debug)]
pub struct NewestCheckpointsSummary {
    /// The age of the oldest among the partitions' newest complete checkpoints, in milliseconds. After a restart, the
    /// job processes at most the records of this time again.
    #[serde(rename = "age_ms")]
    pub largest_age_ms: Option<u64>,
    /// The configured interval of checkpoints, in milliseconds.
    #[serde(rename = "every_ms")]
    pub interval_ms: i64,
    /// The total size of the partitions' newest checkpoints with all their layers, in bytes.
    #[serde(rename = "state_bytes")]
    pub total_state_bytes: u64,
    /// The total number of bytes that the partitions' newest checkpoints added to the checkpoint store.
    #[serde(rename = "added_bytes")]
    pub total_added_bytes: u64,
    /// The longest duration among the partitions' newest checkpoints, in milliseconds.
    #[serde(rename = "duration_ms")]
    pub longest_duration_ms: Option<i64>,
    /// The number of partition checkpoints that have failed since the instances started.
    #[serde(rename = "failed")]
    pub failed_count: u64,
}

impl JobReport {
    /// Returns the checkpoint counts, added up over all instances.
    #[must_use]
    pub fn sum_checkpoint_counts(&self) -> CheckpointCounts {
        let counts = self.instances.iter().map(|instance| instance.checkpoint_counts);
        counts.fold(CheckpointCounts::default(), CheckpointCounts::add_counts)
    }

    /// Summarizes the newest complete checkpoint of every partition. `interval_ms` is the configured checkpoint
    /// interval.
    #[must_use]
    pub fn summarize_newest_checkpoints(&self, interval_ms: i64) -> NewestCheckpointsSummary {
        let failed_count = self.sum_checkpoint_counts().failed_count;
        let mut last = NewestCheckpointsSummary { interval_ms, failed_count, ..NewestCheckpointsSummary::default() };
        for owner in self.partition_owners() {
            last.largest_age_ms = last.largest_age_ms.max(owner.partition_report.last_checkpoint_age_ms);
            last.total_state_bytes += owner.partition_report.last_checkpoint_bytes;
            let completed = |checkpoint: &CheckpointReport| checkpoint.status == CheckpointStatus::Completed;
            if let Some(newest) =
                newest_matching_checkpoint(owner.instance, owner.partition_report.partition, completed)
            {
                last.total_added_bytes += newest.added_bytes;
                last.longest_duration_ms =
                    last.longest_duration_ms.max(newest.ended_at_ms.map(|ended| ended - newest.began_at_ms));
            }
        }
        last
    }
}

/// Returns the newest checkpoint of `partition` in the report `instance` for which `matches` returns true. Ignores
/// savepoints.
pub(super) fn newest_matching_checkpoint(
    instance: &InstanceReport,
    partition: i32,
    matches: impl Fn(&CheckpointReport) -> bool,
) -> Option<&CheckpointReport> {
    let is_checkpoint =
        |report: &&CheckpointReport| report.partition == partition && report.savepoint_id.is_none() && matches(report);
    instance.recent_checkpoints.iter().find(is_checkpoint)
}
