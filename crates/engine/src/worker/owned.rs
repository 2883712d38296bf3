//! A partition that a worker owns: its shard, where it stands, and the snapshot that is being taken of it.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{EventTime, Shard, ShardMetadata, SnapshotScope};

use crate::checkpoint::{OpenedPartition, SnapshotPurpose, beginning_after_gap};
use crate::metrics::now_ms;
use crate::{FenceToken, FlushTicket, Offset, PartitionStatus};

/// A partition and all that its worker knows of it.
#[derive(Debug)]
pub(super) struct OwnedPartition {
    pub(super) fence_token: FenceToken,
    pub(super) shard: Shard,
    /// The offset of the next record; `None` while it is not known.
    pub(super) next_offset: Option<Offset>,
    /// Per view, where the counting of its rows began.
    pub(super) beginnings: Vec<u64>,
    /// Per view, the number of the last row that was in the store of rows when the partition was opened.
    pub(super) rows_written: Vec<u64>,
    /// It is being given up, or everything ends: its records are left to whoever comes next.
    pub(super) frozen: bool,
    /// Bounded input has ended, and everything has fired.
    pub(super) finished: bool,
    pub(super) snapshot: Option<ActiveSnapshot>,
    /// What the next checkpoint must hold.
    pub(super) next_scope: SnapshotScope,
    /// The position of the last complete checkpoint, and when it was cut (or the partition opened).
    pub(super) checkpoint_offset: Option<Offset>,
    pub(super) checkpoint_time: Duration,
    /// The same by the wall clock, in epoch milliseconds, where there is one; and the bytes of all its layers.
    pub(super) checkpoint_at_ms: Option<i64>,
    pub(super) checkpoint_bytes: u64,
    /// For people: when it was opened, and when a record came last, as far as that was published; records since then.
    pub(super) opened_at_ms: i64,
    pub(super) last_record_at_ms: Option<i64>,
    /// The timestamp of the last record.
    pub(super) last_record_timestamp_ms: Option<i64>,
    pub(super) records: u64,
    pub(super) records_published: u64,
    /// When the next checkpoint is due, and the next attempt at a savepoint.
    pub(super) checkpoint_due: Duration,
    pub(super) savepoint_due: Duration,
    /// The savepoint it is in already.
    pub(super) completed_savepoint: Option<Arc<str>>,
    /// The last checkpoint before giving it up failed; there is no other attempt.
    pub(super) final_checkpoint_failed: bool,
}

/// A snapshot that is being taken.
#[derive(Debug)]
pub(super) struct ActiveSnapshot {
    pub(super) purpose: SnapshotPurpose,
    pub(super) scope: SnapshotScope,
    /// Everything handed to the sink before the cut.
    pub(super) ticket: FlushTicket,
    pub(super) offset: Offset,
    pub(super) shard_facts: ShardMetadata,
    /// Wall clock, in epoch milliseconds.
    pub(super) taken_at_ms: i64,
    pub(super) started_at: Duration,
    /// Saved, and not handed to the keeper yet.
    pub(super) bytes: Vec<u8>,
    pub(super) stage: SnapshotStage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SnapshotStage {
    /// Slots are being saved.
    Saving,
    /// All are saved; rows are waited for.
    WaitingForRows,
    /// The keeper is completing it.
    Completing,
}

impl OwnedPartition {
    /// What the keeper opened.
    pub(super) fn new(opened: OpenedPartition, now: Duration, every: Duration) -> Self {
        let OpenedPartition {
            shard,
            fence_token: origin,
            next_offset: position,
            checkpoint_offset: checkpoint,
            beginnings,
            rows_written,
            next_scope,
            restored_from: restored,
            ..
        } = opened;
        // A partition without a checkpoint of its own gets one at once: it fixes where "latest" was, and that a
        // savepoint was begun from.
        let checkpoint_due =
            if checkpoint.is_some() && next_scope == SnapshotScope::Changes { now + every } else { now };
        let checkpoint_offset = checkpoint.filter(|_| next_scope == SnapshotScope::Changes);
        let restored = restored.filter(|_| checkpoint_offset.is_some());
        let checkpoint_at_ms = restored.as_ref().map(|restored| restored.taken_at_ms);
        let checkpoint_bytes = restored.map_or(0, |restored| restored.bytes);
        let state_ends = Self::without_checkpoints(shard, origin, position, now);
        Self {
            beginnings,
            rows_written,
            next_scope,
            checkpoint_offset,
            checkpoint_at_ms,
            checkpoint_bytes,
            checkpoint_due,
            ..state_ends
        }
    }

    /// A shard whose state is not kept.
    pub(super) fn without_checkpoints(
        shard: Shard,
        fence_token: FenceToken,
        start: Option<Offset>,
        now: Duration,
    ) -> Self {
        Self {
            fence_token,
            shard,
            next_offset: start,
            beginnings: Vec::new(),
            rows_written: Vec::new(),
            frozen: false,
            finished: false,
            snapshot: None,
            next_scope: SnapshotScope::Everything,
            checkpoint_offset: None,
            checkpoint_time: now,
            checkpoint_at_ms: None,
            checkpoint_bytes: 0,
            opened_at_ms: now_ms(),
            last_record_at_ms: None,
            last_record_timestamp_ms: None,
            records: 0,
            records_published: 0,
            checkpoint_due: Duration::MAX,
            savepoint_due: now,
            completed_savepoint: None,
            final_checkpoint_failed: false,
        }
    }

    /// Something has happened, at its position, that another run over the same records may not meet: from here on its rows
    /// are like no others, and none of them is in the store of rows yet.
    pub(super) fn restart_row_counting(&mut self, what: &str) {
        let position = self.next_offset;
        self.beginnings.iter_mut().for_each(|beginning| *beginning = beginning_after_gap(*beginning, what, position));
        self.rows_written.fill(0);
    }

    /// Where it stands, for people. Event times are out of order by at most `out_of_orderness_ms`.
    pub(super) fn build_status(&mut self, out_of_orderness_ms: i64) -> PartitionStatus {
        if self.records > self.records_published {
            self.records_published = self.records;
            self.last_record_at_ms = Some(now_ms());
        }
        let watermark = self.shard.watermark().filter(|_| !self.finished);
        let largest = |watermark: EventTime| EventTime::from_ms(watermark.ms() + out_of_orderness_ms + 1);
        PartitionStatus {
            partition: self.fence_token.partition,
            epoch: self.fence_token.epoch,
            offset: self.next_offset,
            watermark,
            max_event_time: watermark.map(largest),
            opened_at_ms: self.opened_at_ms,
            last_record_at_ms: self.last_record_at_ms,
            last_record_timestamp_ms: self.last_record_timestamp_ms,
            records: self.records,
            entities: self.shard.entity_count() as u64,
            state_bytes: self.checkpoint_bytes,
            checkpoint_offset: self.checkpoint_offset,
            checkpoint_at_ms: self.checkpoint_at_ms,
        }
    }

    /// Whether something has come since its last complete checkpoint.
    pub(super) fn has_uncheckpointed_records(&self) -> bool {
        self.next_offset.is_some() && self.next_offset != self.checkpoint_offset
    }

    pub(super) fn has_snapshot_in(&self, stage: SnapshotStage) -> bool {
        self.snapshot.as_ref().is_some_and(|taking| taking.stage == stage)
    }
}
