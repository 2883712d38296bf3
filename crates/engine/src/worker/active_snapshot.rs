//! A snapshot of a shard that is being taken.

use std::time::Duration;

use windrow_core::{ShardMetadata, SnapshotScope};

use crate::checkpoint::SnapshotPurpose;
use crate::{FlushTicket, Offset};

/// A snapshot that is being taken.
#[derive(Debug)]
pub(super) struct ActiveSnapshot {
    pub(super) purpose: SnapshotPurpose,
    pub(super) scope: SnapshotScope,
    /// Stands for every row handed to the sink before the cut.
    pub(super) ticket: FlushTicket,
    /// The offset of the first record that is not in it.
    pub(super) offset: Offset,
    pub(super) shard_metadata: ShardMetadata,
    /// When it was cut, by the wall clock, in epoch milliseconds.
    pub(super) taken_at_ms: i64,
    /// When it was cut, by the monotonic clock.
    pub(super) started_at: Duration,
    /// Bytes that are not handed to the checkpoint thread yet.
    pub(super) bytes: Vec<u8>,
    pub(super) stage: SnapshotStage,
}

/// The stages of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SnapshotStage {
    /// Slots of the shard are being saved.
    Saving,
    /// All slots are saved; the rows before the cut are not acknowledged yet.
    WaitingForRows,
    /// The checkpoint thread completes it.
    Completing,
}
