//! Reports of checkpoints and of restored partitions.

use serde::{Deserialize, Serialize};

/// The report of a checkpoint of one partition. A savepoint appears as one such report for each partition.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct CheckpointReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch under which the instance owned the partition when it took the checkpoint.
    pub epoch: u64,
    /// The number of the checkpoint among the checkpoints of the partition; 0 while the checkpoint is in progress. When
    /// a new owner claims the partition, the numbers continue.
    #[serde(rename = "number")]
    pub checkpoint_number: u64,
    /// The id of the savepoint for which the checkpoint was taken; absent for a periodic checkpoint.
    #[serde(rename = "savepoint")]
    pub savepoint_id: Option<String>,
    /// Whether the checkpoint is in progress, complete or failed.
    pub status: CheckpointStatus,
    /// The time at which the worker took the snapshot that the checkpoint saves.
    pub began_at_ms: i64,
    /// The time at which the checkpoint completed or failed.
    pub ended_at_ms: Option<i64>,
    /// The offset of the first record that the checkpoint does not include.
    pub offset: i64,
    /// The number of bytes that the checkpoint added to the store at `location`.
    pub added_bytes: u64,
    /// The total size of the base and all deltas of the checkpoint, in bytes.
    #[serde(rename = "state_bytes")]
    pub all_layers_bytes: u64,
    /// Why the checkpoint failed; absent unless it failed.
    pub failure: Option<String>,
    /// The location of the store that the checkpoint was written to.
    #[serde(rename = "place")]
    pub location: String,
}

/// The state of a checkpoint or savepoint.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointStatus {
    /// The checkpoint is being taken.
    #[default]
    InProgress,
    /// The checkpoint is complete, and a restart can use it.
    Completed,
    /// The checkpoint failed, and a restart does not use it.
    Failed,
}

/// Counts of checkpoints, and of restored and lost partitions. Counts begin when the instance starts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct CheckpointCounts {
    /// The number of complete checkpoints.
    #[serde(rename = "completed")]
    pub completed_count: u64,
    /// The number of failed checkpoints.
    #[serde(rename = "failed")]
    pub failed_count: u64,
    /// The number of checkpoints that are in progress now.
    #[serde(rename = "in_progress")]
    pub in_progress_count: u64,
    /// The number of times that this instance restored a partition from a checkpoint.
    #[serde(rename = "restored")]
    pub restored_partition_count: u64,
    /// The number of times that this instance lost a partition, because another owner claimed the partition under a
    /// larger epoch.
    #[serde(rename = "fenced")]
    pub fenced_partition_count: u64,
    /// The number of rows that Redis has lost and that no kept checkpoint produces again.
    #[serde(rename = "missing_rows")]
    pub missing_row_count: u64,
}

impl CheckpointCounts {
    /// Returns the sums of the counts in `self` and in `other`, field by field.
    #[must_use]
    pub const fn add_counts(self, other: Self) -> Self {
        Self {
            completed_count: self.completed_count + other.completed_count,
            failed_count: self.failed_count + other.failed_count,
            in_progress_count: self.in_progress_count + other.in_progress_count,
            restored_partition_count: self.restored_partition_count + other.restored_partition_count,
            fenced_partition_count: self.fenced_partition_count + other.fenced_partition_count,
            missing_row_count: self.missing_row_count + other.missing_row_count,
        }
    }
}

/// The restore of one partition's state from a checkpoint.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RestoreReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch under which an owner of the partition took the restored checkpoint.
    #[serde(rename = "epoch")]
    pub checkpoint_epoch: u64,
    /// The number of the restored checkpoint.
    #[serde(rename = "number")]
    pub checkpoint_number: u64,
    /// The time at which the partition was restored.
    #[serde(rename = "at_ms")]
    pub restored_at_ms: i64,
    /// The duration of the restore, in milliseconds.
    #[serde(rename = "took_ms")]
    pub restore_duration_ms: u64,
    /// The location of the savepoint that the job began from; absent if the job began without a savepoint.
    #[serde(rename = "savepoint")]
    pub origin_savepoint_location: Option<String>,
    /// The offset at which the worker continued to read the partition after the restore.
    #[serde(rename = "offset")]
    pub resume_offset: Option<i64>,
}
