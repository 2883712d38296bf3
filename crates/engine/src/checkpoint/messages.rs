//! The messages between a worker and its checkpoint thread: commands to the thread, events from the thread.

use std::sync::Arc;

use windrow_core::{ShardMetadata, SnapshotScope};

use super::manifest::CheckpointId;
use super::opened_partition::OpenedPartition;
use super::savepoint_request::SavepointRequest;
use super::state_object::PackFault;
use super::store::StoreFault;
use crate::{Epoch, FenceToken, Halt, Offset, Partition};

/// The purpose of a snapshot.
#[derive(Clone, Debug)]
pub(crate) enum SnapshotPurpose {
    /// The snapshot becomes a checkpoint of the job.
    Checkpoint,
    /// The snapshot becomes one partition of a savepoint.
    Savepoint(Arc<SavepointRequest>),
}

/// A command from a worker to its checkpoint thread.
#[derive(Debug)]
pub(crate) enum CheckpointCommand {
    /// Claim an epoch of the partition in the checkpoint store, and restore the partition's shard.
    RestorePartition(Partition),
    /// Claim the restored partition at the fence. `start` is the offset that reading begins at, if known.
    ClaimFence { partition: Partition, start: Option<Offset> },
    /// Write a piece of the partition's snapshot.
    WriteStatePart { fence_token: FenceToken, purpose: SnapshotPurpose, bytes: Vec<u8> },
    /// Complete the snapshot: all pieces were sent, and the row store has all rows before the cut.
    CompleteSnapshot(Box<SnapshotCompletion>),
    /// Discard the draft of the partition's snapshot.
    DiscardSnapshot(Partition),
}

/// A snapshot whose pieces were all sent to the checkpoint thread.
#[derive(Debug)]
pub(crate) struct SnapshotCompletion {
    pub(crate) fence_token: FenceToken,
    pub(crate) purpose: SnapshotPurpose,
    pub(crate) scope: SnapshotScope,
    pub(crate) offset: Offset,
    pub(crate) shard_metadata: ShardMetadata,
    /// Per view, the fingerprint of the point where row counting began.
    pub(crate) counting_start_fingerprints: Vec<u64>,
    /// The wall-clock time of the cut, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
}

/// An event from a checkpoint thread to its worker.
#[derive(Debug)]
pub(crate) enum CheckpointEvent {
    /// The shard was restored up to this offset (`None` without a checkpoint), or cannot be restored.
    PartitionRestored(Partition, Result<Option<Offset>, Halt>),
    /// The claim of the partition at the fence has ended.
    FenceClaimed(Partition, Result<OpenOutcome, Halt>),
    /// The attempt to complete the snapshot with this number has ended.
    SnapshotEnded { fence_token: FenceToken, purpose: SnapshotPurpose, number: u64, outcome: SnapshotOutcome },
}

/// The outcome of opening a partition.
#[derive(Debug)]
pub(crate) enum OpenOutcome {
    /// The partition is claimed, and its records may be read.
    Opened(Box<OpenedPartition>),
    /// Another worker has claimed the partition in the meantime.
    Overtaken {
        /// The epoch of the other worker's claim.
        newer_epoch: Epoch,
    },
}

/// The outcome of a snapshot.
#[derive(Debug)]
pub(crate) enum SnapshotOutcome {
    /// The manifest was created, and no larger epoch exists.
    Complete {
        id: CheckpointId,
        size: CheckpointSize,
        /// Whether the next snapshot must be a base or a delta.
        next_snapshot_scope: SnapshotScope,
    },
    /// The snapshot was not written. The next attempt may succeed.
    Failed(SnapshotFailure),
    /// Another worker claimed the partition under this larger epoch.
    Fenced(Epoch),
    /// The job must halt for this reason.
    Halted(Halt),
}

/// The size of a completed checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CheckpointSize {
    /// The size of the newest layer in bytes.
    pub(crate) added_bytes: u64,
    /// The size of all layers in bytes.
    pub(crate) state_bytes: u64,
}

/// The reason why a snapshot was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SnapshotFailure {
    /// A piece of the snapshot cannot be packed.
    #[error("{object} cannot be packed")]
    NotPacked { object: String, source: PackFault },
    /// The store did not write a state object.
    #[error("{object} cannot be written")]
    NotWritten { object: String, source: StoreFault },
    /// The manifest cannot be rendered.
    #[error("the manifest cannot be rendered: {detail}")]
    ManifestNotRendered { detail: String },
    /// Another process has created an object of the same name.
    #[error("another process has written {object}")]
    WrittenElsewhere { object: String },
    /// The checkpoint store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
}
