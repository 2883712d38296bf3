//! The data of a snapshot in progress.

use std::time::Duration;

use windrow_core::{BaseOrDelta, EventTime, ShardMetadata};

use crate::checkpoint::SnapshotPurpose;
use crate::{FlushTicket, LeaderEpoch, Offset};

/// A snapshot in progress. The worker saves the state of the shard as bytes, and the checkpoint thread writes these
/// bytes to a checkpoint store.
#[derive(Debug)]
pub(super) struct ActiveSnapshot {
    pub(super) snapshot_purpose: SnapshotPurpose,
    pub(super) base_or_delta: BaseOrDelta,
    /// The ticket of the flush that includes all rows before the cut.
    pub(super) flush_ticket: FlushTicket,
    /// The offset of the first record that the snapshot does not include.
    pub(super) cut_offset: Offset,
    /// The leader epoch of the record before `cut_offset`; `None` if unknown.
    pub(super) cut_leader_epoch: Option<LeaderEpoch>,
    pub(super) shard_metadata: ShardMetadata,
    /// The latest event time that was accepted at the cut; `None` if all were.
    pub(super) event_time_limit: Option<EventTime>,
    /// For each view, the fingerprint of the row numbering at the cut. The worker may begin another numbering while the
    /// snapshot is in progress.
    pub(super) row_numbering_fingerprints: Vec<u64>,
    /// For each view, the number of the last row before the numbering at the cut; empty if the partition was opened with
    /// that numbering.
    pub(super) rows_before_numbering: Vec<u64>,
    /// The wall-clock time of the cut, in epoch milliseconds.
    pub(super) cut_at_ms: i64,
    /// The monotonic time of the cut.
    pub(super) cut_at: Duration,
    /// The saved bytes that the worker has not yet sent to the checkpoint thread.
    pub(super) unsent_bytes: Vec<u8>,
    pub(super) stage: SnapshotStage,
}

impl ActiveSnapshot {
    /// Cuts the unsent bytes into parts of `part_bytes` bytes, and removes and returns these parts. While the snapshot
    /// is being saved, the bytes that do not fill a part stay. Afterwards they are the last part.
    pub(super) fn take_unsent_parts(&mut self, part_bytes: usize) -> Vec<Vec<u8>> {
        let is_whole = self.stage != SnapshotStage::Saving;
        if self.unsent_bytes.len() < part_bytes && !is_whole {
            return Vec::new();
        }
        let mut parts: Vec<Vec<u8>> = self.unsent_bytes.chunks(part_bytes.max(1)).map(<[u8]>::to_vec).collect();
        self.unsent_bytes.clear();
        if let Some(rest) = parts.pop_if(|last| last.len() < part_bytes && !is_whole) {
            self.unsent_bytes = rest;
        }
        parts
    }
}

/// The stage of a snapshot in progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SnapshotStage {
    /// The worker is saving the state of the shard.
    Saving,
    /// The state of the shard is saved, but the row store has not yet acknowledged all rows before the cut.
    WaitingForRows,
    /// The checkpoint thread is completing the checkpoint or the savepoint to which the snapshot belongs.
    Completing,
}
