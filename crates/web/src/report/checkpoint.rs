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
    /// The number of the checkpoint within the epoch.
    pub number: u64,
    /// The savepoint that it belongs to; absent for a checkpoint.
    pub savepoint: Option<String>,
    /// Whether it is complete.
    pub status: CheckpointStatus,
    /// When the state was cut.
    pub began_at_ms: i64,
    /// When it completed or failed.
    pub ended_at_ms: Option<i64>,
    /// The offset up to which it holds the state.
    pub offset: i64,
    /// Bytes that it added.
    pub added_bytes: u64,
    /// Bytes of all its layers.
    pub state_bytes: u64,
    /// Why it failed.
    pub failure: Option<String>,
    /// The location of the checkpoint.
    pub place: String,
}

/// Whether a checkpoint or savepoint is complete.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointStatus {
    /// It is being taken.
    #[default]
    InProgress,
    /// It is complete: a restart can use it.
    Completed,
    /// It failed: a restart does not use it.
    Failed,
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct CheckpointCounts {
    /// Complete checkpoints.
    pub completed: u64,
    /// Failed checkpoints.
    pub failed: u64,
    /// Checkpoints being taken now.
    pub in_progress: u64,
    /// Restored partitions.
    pub restored: u64,
    /// Partitions that another owner claimed while this instance still owned them.
    pub fenced: u64,
}

impl CheckpointCounts {
    /// Returns the sum of both counts.
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

/// A partition that was restored.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RestoreReport {
    /// The number of the partition.
    pub partition: i32,
    /// The epoch of the checkpoint.
    pub epoch: u64,
    /// The number of the checkpoint.
    pub number: u64,
    /// When it was restored.
    pub at_ms: i64,
    /// How long restoring took, in milliseconds.
    pub took_ms: u64,
    /// The location of the savepoint that it was restored from, if it was.
    pub savepoint: Option<String>,
    /// The offset of the checkpoint.
    pub offset: Option<i64>,
}
