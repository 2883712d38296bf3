//! The messages between a worker and its checkpoint thread. The worker sends commands, and the checkpoint thread sends
//! events.

use std::sync::Arc;

use windrow_core::{BaseOrDelta, EventTime, ShardMetadata};

use super::manifest::CheckpointId;
use super::partition_checkpoints::PartitionCheckpoints;
use super::savepoint_request::SavepointRequest;
use super::snapshot_failure::SnapshotFailure;
use crate::{Epoch, FenceToken, Halt, HeldOffsets, LogPosition, Offset, Partition};

/// What a snapshot becomes when it is complete.
#[derive(Clone, Debug)]
pub(crate) enum SnapshotPurpose {
    /// A checkpoint of the partition.
    Checkpoint,
    /// The copy of one partition in the requested savepoint.
    Savepoint(Arc<SavepointRequest>),
}

/// A command from a worker to its checkpoint thread.
#[derive(Debug)]
pub(crate) enum CheckpointCommand {
    /// The partition was opened. Its next checkpoints continue these.
    TrackPartition { partition: Partition, partition_checkpoints: Box<PartitionCheckpoints> },
    /// Write a piece of the partition's snapshot as a state object.
    WriteStatePart { fence_token: FenceToken, snapshot_purpose: SnapshotPurpose, bytes: Vec<u8> },
    /// Complete the snapshot. The worker has sent all pieces of the snapshot, and the row store has acknowledged all
    /// rows before the cut.
    CompleteSnapshot(Box<SnapshotToComplete>),
    /// Let the requested savepoint fail, because the partition is parked. `fault` is the reason.
    RefuseSavepoint { partition: Partition, request: Arc<SavepointRequest>, fault: String },
    /// Confirm that all earlier commands are executed. The worker opens the partition again afterwards.
    ConfirmEarlierCommands { partition: Partition, barrier_number: u64 },
    /// Discard the draft of the partition's unfinished snapshot.
    DiscardSnapshot(Partition),
}

/// A snapshot of which the worker has sent all pieces to the checkpoint thread.
#[derive(Debug)]
pub(crate) struct SnapshotToComplete {
    pub(crate) fence_token: FenceToken,
    pub(crate) snapshot_purpose: SnapshotPurpose,
    pub(crate) base_or_delta: BaseOrDelta,
    pub(crate) position: LogPosition,
    pub(crate) shard_metadata: ShardMetadata,
    /// The latest event time that was accepted at the cut; `None` if the wall clock limited no event times.
    pub(crate) event_time_limit: Option<EventTime>,
    /// For each feature view, the fingerprint of everything that determines the numbers of the view's rows (see
    /// `row_numbering_fingerprint`).
    pub(crate) row_numbering_fingerprints: Vec<u64>,
    /// For each feature view, the number of the last row before this numbering; empty if the partition was opened with it.
    pub(crate) rows_before_numbering: Vec<u64>,
    /// The wall-clock time of the cut, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
}

/// An event from a checkpoint thread to its worker.
#[derive(Debug)]
pub(crate) enum CheckpointEvent {
    /// All commands before [`CheckpointCommand::ConfirmEarlierCommands`] are executed.
    EarlierCommandsExecuted { partition: Partition, barrier_number: u64 },
    /// The checkpoint thread has completed the snapshot, or could not complete the snapshot. `number` is the number of
    /// the checkpoint.
    SnapshotEnded { fence_token: FenceToken, snapshot_purpose: SnapshotPurpose, number: u64, outcome: SnapshotOutcome },
}

/// The outcome of a snapshot.
#[derive(Debug)]
pub(crate) enum SnapshotOutcome {
    /// The manifest was created, and no larger epoch of the partition exists.
    Complete {
        id: CheckpointId,
        size: CheckpointSize,
        /// Whether the partition's next snapshot is a base or a delta.
        next_base_or_delta: BaseOrDelta,
        /// The offset of the oldest kept checkpoint of the partition.
        oldest_kept_offset: Offset,
    },
    /// The snapshot was not completed. The next snapshot of the partition may succeed.
    Failed(SnapshotFailure),
    /// Another worker has claimed the partition under this larger epoch.
    Fenced(Epoch),
    /// The log has lost records of the state, and holds others at their offsets. These are the offsets before them.
    LogTruncated(HeldOffsets),
    /// The job must halt for this reason.
    Halted(Halt),
}

/// The size of a completed checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CheckpointSize {
    /// The size of the newest layer, which contains this snapshot, in bytes.
    pub(crate) newest_layer_byte_count: u64,
    /// The size of all layers of the checkpoint, in bytes.
    pub(crate) all_layers_byte_count: u64,
}
