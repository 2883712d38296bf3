//! The messages between a worker and its checkpoint thread: commands to the thread, events from the thread.

use std::sync::Arc;

use windrow_core::{BaseOrDelta, ShardMetadata};

use super::manifest::CheckpointId;
use super::opened_partition::OpenedPartition;
use super::savepoint_request::SavepointRequest;
use super::state_object::PackFault;
use super::store::StoreFault;
use crate::{Epoch, FenceToken, Halt, Offset, Partition};

/// What a snapshot becomes when it is complete.
#[derive(Clone, Debug)]
pub(crate) enum SnapshotPurpose {
    /// A checkpoint of the partition.
    Checkpoint,
    /// One partition of the requested savepoint.
    Savepoint(Arc<SavepointRequest>),
}

/// A command from a worker to its checkpoint thread.
#[derive(Debug)]
pub(crate) enum CheckpointCommand {
    /// Claim an epoch of the partition in the checkpoint store, and restore the partition's shard.
    RestorePartition(Partition),
    /// Claim the restored partition at the fence of the row store. Reading begins at the offset `start`, or at the
    /// checkpoint's offset if `start` is `None`.
    ClaimFence { partition: Partition, start: Option<Offset> },
    /// Write a piece of the partition's snapshot as a state object.
    WriteStatePart { fence_token: FenceToken, snapshot_purpose: SnapshotPurpose, bytes: Vec<u8> },
    /// Complete the snapshot. The worker has sent all its pieces, and the row store has acknowledged all rows before
    /// the cut.
    CompleteSnapshot(Box<SnapshotToComplete>),
    /// Discard the pieces of the partition's unfinished snapshot.
    DiscardSnapshot(Partition),
}

/// A snapshot whose pieces were all sent to the checkpoint thread.
#[derive(Debug)]
pub(crate) struct SnapshotToComplete {
    pub(crate) fence_token: FenceToken,
    pub(crate) snapshot_purpose: SnapshotPurpose,
    pub(crate) base_or_delta: BaseOrDelta,
    pub(crate) offset: Offset,
    pub(crate) shard_metadata: ShardMetadata,
    /// Per view, the fingerprint of where and how the counting of its rows started (see `row_numbering`).
    pub(crate) counting_start_fingerprints: Vec<u64>,
    /// The wall-clock time of the cut, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
}

/// An event from a checkpoint thread to its worker.
#[derive(Debug)]
pub(crate) enum CheckpointEvent {
    /// The shard of the partition was restored. The offset is that of its checkpoint; `None` without a checkpoint.
    PartitionRestored(Partition, Result<Option<Offset>, Halt>),
    /// The partition's claim at the fence was granted, lost to another worker, or failed.
    FenceClaimed(Partition, Result<PartitionOpenOutcome, Halt>),
    /// The checkpoint thread has completed the snapshot, or has given it up. `number` is the checkpoint's number.
    SnapshotEnded { fence_token: FenceToken, snapshot_purpose: SnapshotPurpose, number: u64, outcome: SnapshotOutcome },
}

/// The outcome of opening a partition.
#[derive(Debug)]
pub(crate) enum PartitionOpenOutcome {
    /// The partition is claimed in the checkpoint store and at the fence, and its records may be read.
    Opened(Box<OpenedPartition>),
    /// Another worker claimed the partition while this worker was opening it.
    Overtaken {
        /// The epoch of the other worker's claim.
        newer_epoch: Epoch,
    },
}

/// The outcome of a snapshot.
#[derive(Debug)]
pub(crate) enum SnapshotOutcome {
    /// The manifest was created, and no larger epoch of the partition exists.
    Complete {
        id: CheckpointId,
        size: CheckpointSize,
        /// Whether the partition's next snapshot must be a base or a delta.
        next_base_or_delta: BaseOrDelta,
    },
    /// The snapshot was not written. A new snapshot may succeed.
    Failed(SnapshotFailure),
    /// Another worker has claimed the partition under this larger epoch.
    Fenced(Epoch),
    /// The job must halt for this reason.
    Halted(Halt),
}

/// The size of a completed checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CheckpointSize {
    /// The size of the layer that the checkpoint added, in bytes.
    pub(crate) newest_layer_byte_count: u64,
    /// The size of all layers that the checkpoint consists of, in bytes.
    pub(crate) all_layers_byte_count: u64,
}

/// The reason why a snapshot was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SnapshotFailure {
    /// A piece of the snapshot cannot be packed into a state object.
    #[error("cannot pack the state object {object}")]
    NotPacked { object: String, source: PackFault },
    /// The checkpoint store did not write a state object.
    #[error("cannot write the state object {object}")]
    NotWritten { object: String, source: StoreFault },
    /// The manifest cannot be encoded.
    #[error("cannot encode the manifest: {detail}")]
    ManifestNotEncoded { detail: String },
    /// Another process has created an object of the same name with another content.
    #[error("another process has already written {object} with other content")]
    WrittenElsewhere { object: String },
    /// The checkpoint store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
}
