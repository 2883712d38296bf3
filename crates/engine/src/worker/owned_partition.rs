//! A partition that a worker has opened: its shard, where it stands, its last checkpoint and when the next is due.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{EventTime, Shard, SnapshotScope};

use crate::checkpoint::{OpenedPartition, beginning_after_gap};
use crate::{FenceToken, Offset, PartitionStatus};

/// An opened partition.
#[derive(Debug)]
pub(super) struct OwnedPartition {
    pub(super) fence_token: FenceToken,
    pub(super) shard: Shard,
    /// The offset of the next record; `None` while it is not known.
    pub(super) next_offset: Option<Offset>,
    /// Bounded input has ended, and all windows have fired.
    pub(super) input_finished: bool,
    pub(super) row_numbering: RowNumbering,
    pub(super) last_checkpoint: LastTakenCheckpoint,
    pub(super) snapshot_schedule: SnapshotSchedule,
    pub(super) activity: PartitionActivity,
}

/// How the rows of a partition are numbered, per feature view in the pipeline's order.
#[derive(Debug, Default)]
pub(super) struct RowNumbering {
    /// Where the counting of a view's rows began.
    pub(super) beginnings: Vec<u64>,
    /// The number of the last row that was in the row store when the partition was opened.
    pub(super) rows_written: Vec<u64>,
}

/// The last complete checkpoint.
#[derive(Debug)]
pub(super) struct LastTakenCheckpoint {
    /// The offset that it leads up to; `None` before the first.
    pub(super) offset: Option<Offset>,
    /// When it was cut, or the partition opened, by the monotonic clock.
    pub(super) cut_at: Duration,
    /// When it was cut, by the wall clock, in epoch milliseconds.
    pub(super) cut_at_ms: Option<i64>,
    /// Bytes of all its layers.
    pub(super) state_bytes: u64,
}

/// When the next snapshots are due.
#[derive(Debug)]
pub(super) struct SnapshotSchedule {
    /// What the next checkpoint must hold.
    pub(super) next_scope: SnapshotScope,
    pub(super) checkpoint_due: Duration,
    pub(super) savepoint_due: Duration,
    /// The savepoint that this partition is in already.
    pub(super) completed_savepoint: Option<Arc<str>>,
}

/// What was read since the partition was opened. Wall-clock times are in epoch milliseconds.
#[derive(Debug)]
pub(super) struct PartitionActivity {
    pub(super) opened_at_ms: i64,
    /// When a record came last, as far as that was published.
    last_record_at_ms: Option<i64>,
    /// The timestamp of the last record.
    pub(super) last_record_timestamp_ms: Option<i64>,
    pub(super) records: u64,
    records_published: u64,
}

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockReading {
    pub(super) now: Duration,
    pub(super) wall_now_ms: i64,
}

impl OwnedPartition {
    /// Takes over what the checkpoint thread has opened; checkpoints are due every `interval`.
    pub(super) fn new(opened: OpenedPartition, clock: ClockReading, interval: Duration) -> Self {
        let OpenedPartition {
            shard,
            fence_token,
            next_offset,
            checkpoint_offset,
            beginnings,
            rows_written,
            next_scope,
            restored_from,
            ..
        } = opened;
        let continues = next_scope == SnapshotScope::Changes;
        // A partition without a checkpoint of its own gets one at once: it fixes where "latest" was, and that the job
        // began from a savepoint.
        let checkpoint_due = if checkpoint_offset.is_some() && continues { clock.now + interval } else { clock.now };
        let offset = checkpoint_offset.filter(|_| continues);
        let restored = restored_from.filter(|_| offset.is_some());
        let fresh = Self::without_checkpoints(shard, fence_token, next_offset, clock);
        Self {
            row_numbering: RowNumbering { beginnings, rows_written },
            last_checkpoint: LastTakenCheckpoint {
                offset,
                cut_at: clock.now,
                cut_at_ms: restored.as_ref().map(|restored| restored.taken_at_ms),
                state_bytes: restored.map_or(0, |restored| restored.bytes),
            },
            snapshot_schedule: SnapshotSchedule { next_scope, checkpoint_due, ..fresh.snapshot_schedule },
            ..fresh
        }
    }

    /// A partition whose state is lost when the worker ends.
    pub(super) fn without_checkpoints(
        shard: Shard,
        fence_token: FenceToken,
        next_offset: Option<Offset>,
        clock: ClockReading,
    ) -> Self {
        Self {
            fence_token,
            shard,
            next_offset,
            input_finished: false,
            row_numbering: RowNumbering::default(),
            last_checkpoint: LastTakenCheckpoint { offset: None, cut_at: clock.now, cut_at_ms: None, state_bytes: 0 },
            snapshot_schedule: SnapshotSchedule {
                next_scope: SnapshotScope::Everything,
                checkpoint_due: Duration::MAX,
                savepoint_due: clock.now,
                completed_savepoint: None,
            },
            activity: PartitionActivity {
                opened_at_ms: clock.wall_now_ms,
                last_record_at_ms: None,
                last_record_timestamp_ms: None,
                records: 0,
                records_published: 0,
            },
        }
    }

    /// Separates the rows from here on from all before, because another run over the same records may not meet `event` at
    /// this offset. None of the new rows is in the row store yet.
    pub(super) fn restart_row_counting(&mut self, event: &str) {
        let offset = self.next_offset;
        let RowNumbering { beginnings, rows_written } = &mut self.row_numbering;
        beginnings.iter_mut().for_each(|beginning| *beginning = beginning_after_gap(*beginning, event, offset));
        rows_written.fill(0);
    }

    /// Prepares the partition for new input after all its windows have fired. The next checkpoint holds everything: older
    /// layers hold state that only the watermark says is gone, and the watermark begins anew.
    pub(super) fn restart_input(&mut self) {
        self.shard.restart_input();
        // The text is part of the fingerprint.
        self.restart_row_counting("a new beginning");
        self.input_finished = false;
        self.last_checkpoint.offset = None;
        self.snapshot_schedule.next_scope = SnapshotScope::Everything;
    }

    /// Returns where the partition stands. Event times are out of order by at most `out_of_orderness_ms`.
    pub(super) fn publish_status(&mut self, out_of_orderness_ms: i64, wall_now_ms: i64) -> PartitionStatus {
        if self.activity.records > self.activity.records_published {
            self.activity.records_published = self.activity.records;
            self.activity.last_record_at_ms = Some(wall_now_ms);
        }
        let watermark = self.shard.watermark().filter(|_| !self.input_finished);
        let largest = |watermark: EventTime| EventTime::from_ms(watermark.ms() + out_of_orderness_ms + 1);
        PartitionStatus {
            partition: self.fence_token.partition,
            epoch: self.fence_token.epoch,
            offset: self.next_offset,
            watermark,
            max_event_time: watermark.map(largest),
            opened_at_ms: self.activity.opened_at_ms,
            last_record_at_ms: self.activity.last_record_at_ms,
            last_record_timestamp_ms: self.activity.last_record_timestamp_ms,
            records: self.activity.records,
            entities: self.shard.entity_count() as u64,
            state_bytes: self.last_checkpoint.state_bytes,
            checkpoint_offset: self.last_checkpoint.offset,
            checkpoint_at_ms: self.last_checkpoint.cut_at_ms,
        }
    }

    /// Whether records were processed since the last complete checkpoint.
    pub(super) fn has_uncheckpointed_records(&self) -> bool {
        self.next_offset.is_some() && self.next_offset != self.last_checkpoint.offset
    }
}
