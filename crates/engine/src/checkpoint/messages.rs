//! The messages between a worker and its checkpoint thread: commands one way, events the other.

use std::sync::Arc;

use windrow_core::{ShardMetadata, SnapshotScope};

use super::manifest::CheckpointId;
use super::opened_partition::OpenedPartition;
use super::savepoint_request::SavepointRequest;
use super::state_object::PackFault;
use super::store::StoreFault;
use crate::{Epoch, FenceToken, Halt, Offset, Partition};

/// What a snapshot is taken for.
#[derive(Clone, Debug)]
pub(crate) enum SnapshotPurpose {
    /// A checkpoint of the job, to continue from.
    Checkpoint,
    /// A partition's part of a savepoint.
    Savepoint(Arc<SavepointRequest>),
}

/// A command from a worker to its checkpoint thread.
#[derive(Debug)]
pub(crate) enum CheckpointCommand {
    /// Claim a partition in the checkpoint store and restore its shard.
    RestorePartition(Partition),
    /// Claim it at the fence too: it will be read from `start` on, where that is known.
    ClaimFence { partition: Partition, start: Option<Offset> },
    /// Write a piece of the partition's snapshot.
    WriteStatePart { fence_token: FenceToken, purpose: SnapshotPurpose, bytes: Vec<u8> },
    /// Complete the snapshot: all its pieces are handed over, and its rows are in the store of rows.
    CompleteSnapshot(Box<SnapshotCompletion>),
    /// Discard the snapshot.
    DiscardSnapshot(Partition),
}

/// A snapshot whose pieces were all handed over.
#[derive(Debug)]
pub(crate) struct SnapshotCompletion {
    pub(crate) fence_token: FenceToken,
    pub(crate) purpose: SnapshotPurpose,
    pub(crate) scope: SnapshotScope,
    pub(crate) offset: Offset,
    pub(crate) facts: ShardMetadata,
    /// Per view, where the counting of its rows began.
    pub(crate) beginnings: Vec<u64>,
    /// Wall clock, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
}

/// An event from a checkpoint thread to its worker.
#[derive(Debug)]
pub(crate) enum CheckpointEvent {
    /// A partition was restored up to this offset, or cannot be restored.
    PartitionRestored(Partition, Result<Option<Offset>, Halt>),
    /// The claim of a partition at the fence ended.
    FenceClaimed(Partition, Result<OpenOutcome, Halt>),
    /// The snapshot with this number ended.
    SnapshotEnded { fence_token: FenceToken, purpose: SnapshotPurpose, number: u64, outcome: SnapshotOutcome },
}

/// How opening a partition ended.
#[derive(Debug)]
pub(crate) enum OpenOutcome {
    /// It is claimed, and may be read.
    Opened(Box<OpenedPartition>),
    /// Another worker has claimed it meanwhile.
    Overtaken {
        /// The epoch of that claim.
        epoch: Epoch,
    },
}

/// How a snapshot ended.
#[derive(Debug)]
pub(crate) enum SnapshotOutcome {
    /// Its manifest exists, and no larger epoch does.
    Complete {
        id: CheckpointId,
        size: CheckpointSize,
        /// What the next one must hold.
        next_scope: SnapshotScope,
    },
    /// It was not written; the next attempt may succeed.
    Failed(SnapshotFailure),
    /// Another worker claimed the partition under this larger epoch.
    Fenced(Epoch),
    /// The job must halt.
    Halted(Halt),
}

/// The size of a completed checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CheckpointSize {
    /// Bytes of its newest layer.
    pub(crate) added_bytes: u64,
    /// Bytes of all its layers.
    pub(crate) state_bytes: u64,
}

/// Why a snapshot was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SnapshotFailure {
    /// A piece cannot be packed.
    #[error("{object} cannot be packed")]
    NotPacked { object: String, source: PackFault },
    /// A state object cannot be written.
    #[error("{object} cannot be written")]
    NotWritten { object: String, source: StoreFault },
    /// The manifest cannot be rendered.
    #[error("the manifest cannot be rendered: {detail}")]
    NotRendered { detail: String },
    /// Another process has created an object of that name.
    #[error("another process has written {object}")]
    WrittenElsewhere { object: String },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
}
