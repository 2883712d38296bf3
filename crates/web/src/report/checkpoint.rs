//! Reports of checkpoints and of restored partitions.

use serde::{Deserialize, Serialize};

/// A checkpoint of one partition, or the partition's part of a savepoint.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct CheckpointReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch in which the checkpoint was taken.
    pub epoch: u64,
    /// The number of the checkpoint, which continues over the epochs of its partition.
    pub number: u64,
    /// The id of the savepoint; absent for a checkpoint.
    pub savepoint: Option<String>,
    /// Whether the checkpoint is complete.
    pub status: CheckpointStatus,
    /// The time at which the state was captured.
    pub began_at_ms: i64,
    /// The time at which the checkpoint completed or failed.
    pub ended_at_ms: Option<i64>,
    /// The offset up to which the state includes the records.
    pub offset: i64,
    /// The number of bytes that the checkpoint added to the store.
    pub added_bytes: u64,
    /// The number of bytes in all layers of the checkpoint.
    pub state_bytes: u64,
    /// The reason of the failure.
    pub failure: Option<String>,
    /// The location of the checkpoint.
    pub place: String,
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

/// Counts of checkpoints and restores since the instance started.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct CheckpointCounts {
    /// The number of complete checkpoints.
    pub completed: u64,
    /// The number of failed checkpoints.
    pub failed: u64,
    /// The number of checkpoints in progress.
    pub in_progress: u64,
    /// The number of restored partitions.
    pub restored: u64,
    /// The number of partitions that another owner claimed while this instance still owned them.
    pub fenced: u64,
}

impl CheckpointCounts {
    /// Returns the sum of both counts, field by field.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            completed: self.completed + other.completed,
            failed: self.failed + other.failed,
            in_progress: self.in_progress + other.in_progress,
            restored: self.restored + other.restored,
            fenced: self.fenced + other.fenced,
        }
    }
}

/// The restore of one partition.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RestoreReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch of the checkpoint.
    pub epoch: u64,
    /// The number of the checkpoint.
    pub number: u64,
    /// The time at which the partition was restored.
    pub at_ms: i64,
    /// The duration of the restore, in milliseconds.
    pub took_ms: u64,
    /// The location of the savepoint that the partition was restored from; absent for a checkpoint.
    pub savepoint: Option<String>,
    /// The offset of the checkpoint.
    pub offset: Option<i64>,
}
