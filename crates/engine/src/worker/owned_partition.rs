//! A partition that a worker has opened: its shard, its position, its last checkpoint and its snapshot schedule.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{EventTime, Shard, SnapshotScope};

use crate::checkpoint::{OpenedPartition, compute_beginning_after_gap};
use crate::{FenceToken, Offset, PartitionStatus};

/// The data of an opened partition.
#[derive(Debug)]
pub(super) struct OwnedPartition {
    pub(super) fence_token: FenceToken,
    pub(super) shard: Shard,
    /// The offset of the next record; `None` if unknown.
    pub(super) next_offset: Option<Offset>,
    /// Whether the bounded input has ended and all windows have fired.
    pub(super) input_finished: bool,
    pub(super) row_numbering: RowNumbering,
    pub(super) last_checkpoint: LastCompleteCheckpoint,
    pub(super) snapshot_schedule: SnapshotSchedule,
    pub(super) activity: PartitionActivity,
}

/// The numbering of a partition's rows, per feature view in the pipeline's order.
#[derive(Debug, Default)]
pub(super) struct RowNumbering {
    /// The fingerprint of the point where row counting began.
    pub(super) row_beginnings_by_view: Vec<u64>,
    /// The number of the last row that the row store held when the partition was opened.
    pub(super) last_written_row_by_view: Vec<u64>,
}

/// The last complete checkpoint of a partition.
#[derive(Debug)]
pub(super) struct LastCompleteCheckpoint {
    /// The offset of the checkpoint; `None` before the first checkpoint.
    pub(super) offset: Option<Offset>,
    /// The monotonic time of the cut, or of the partition's opening before the first checkpoint.
    pub(super) cut_at: Duration,
    /// The wall-clock time of the cut, in epoch milliseconds.
    pub(super) cut_at_ms: Option<i64>,
    /// The size of all layers in bytes.
    pub(super) state_bytes: u64,
}

/// The monotonic times at which the next snapshots are due.
#[derive(Debug)]
pub(super) struct SnapshotSchedule {
    /// Whether the next checkpoint must be a base or a delta.
    pub(super) next_snapshot_scope: SnapshotScope,
    pub(super) checkpoint_due_at: Duration,
    pub(super) savepoint_due_at: Duration,
    /// The name of the last savepoint that includes this partition.
    pub(super) last_completed_savepoint_id: Option<Arc<str>>,
}

/// The records read since the partition was opened. Wall-clock times are in epoch milliseconds.
#[derive(Debug)]
pub(super) struct PartitionActivity {
    pub(super) opened_at_ms: i64,
    /// The wall-clock time of the last record, as of the last publication.
    last_record_at_ms: Option<i64>,
    /// The timestamp of the last record, in epoch milliseconds.
    pub(super) last_record_timestamp_ms: Option<i64>,
    pub(super) record_count: u64,
    published_record_count: u64,
}

/// The time of both clocks at the same moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockReading {
    pub(super) monotonic_now: Duration,
    pub(super) wall_now_ms: i64,
}

impl OwnedPartition {
    /// Creates the data of a partition that the checkpoint thread has opened. Checkpoints are due every `interval`.
    pub(super) fn new(opened: OpenedPartition, clock: ClockReading, interval: Duration) -> Self {
        let OpenedPartition {
            shard,
            fence_token,
            next_offset,
            checkpoint_offset,
            row_beginnings_by_view: beginnings,
            last_written_row_by_view: rows_written,
            next_snapshot_scope: next_scope,
            restored_from,
            ..
        } = opened;
        let continues = next_scope == SnapshotScope::Changes;
        // A partition without its own checkpoint gets one at once. That checkpoint records the offset that "latest"
        // meant, and that the job began from a savepoint.
        let checkpoint_due =
            if checkpoint_offset.is_some() && continues { clock.monotonic_now + interval } else { clock.monotonic_now };
        let offset = checkpoint_offset.filter(|_| continues);
        let restored = restored_from.filter(|_| offset.is_some());
        let fresh = Self::without_checkpoints(shard, fence_token, next_offset, clock);
        Self {
            row_numbering: RowNumbering { row_beginnings_by_view: beginnings, last_written_row_by_view: rows_written },
            last_checkpoint: LastCompleteCheckpoint {
                offset,
                cut_at: clock.monotonic_now,
                cut_at_ms: restored.as_ref().map(|restored| restored.taken_at_ms),
                state_bytes: restored.map_or(0, |restored| restored.byte_count),
            },
            snapshot_schedule: SnapshotSchedule {
                next_snapshot_scope: next_scope,
                checkpoint_due_at: checkpoint_due,
                ..fresh.snapshot_schedule
            },
            ..fresh
        }
    }

    /// Creates the data of a partition without checkpoints. Its state is lost when the worker ends.
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
            last_checkpoint: LastCompleteCheckpoint {
                offset: None,
                cut_at: clock.monotonic_now,
                cut_at_ms: None,
                state_bytes: 0,
            },
            snapshot_schedule: SnapshotSchedule {
                next_snapshot_scope: SnapshotScope::Everything,
                checkpoint_due_at: Duration::MAX,
                savepoint_due_at: clock.monotonic_now,
                last_completed_savepoint_id: None,
            },
            activity: PartitionActivity {
                opened_at_ms: clock.wall_now_ms,
                last_record_at_ms: None,
                last_record_timestamp_ms: None,
                record_count: 0,
                published_record_count: 0,
            },
        }
    }

    /// Starts a new row counting after `event`, because another run over the same records may not meet `event` at this
    /// offset. The row store has none of the new rows yet.
    pub(super) fn restart_row_counting(&mut self, event: &str) {
        let offset = self.next_offset;
        let RowNumbering { row_beginnings_by_view: beginnings, last_written_row_by_view: rows_written } =
            &mut self.row_numbering;
        beginnings.iter_mut().for_each(|beginning| *beginning = compute_beginning_after_gap(*beginning, event, offset));
        rows_written.fill(0);
    }

    /// Prepares the partition for new input after all its windows have fired. The next checkpoint must be a base,
    /// because older layers hold state that only the old watermark marks as expired.
    pub(super) fn restart_input(&mut self) {
        self.shard.restart_input();
        // The text is part of the fingerprint, so it must not change.
        self.restart_row_counting("a new beginning");
        self.input_finished = false;
        self.last_checkpoint.offset = None;
        self.snapshot_schedule.next_snapshot_scope = SnapshotScope::Everything;
    }

    /// Updates and returns the partition's status. Event times are out of order by at most `out_of_orderness_ms`.
    pub(super) fn build_status(&mut self, out_of_orderness_ms: i64, wall_now_ms: i64) -> PartitionStatus {
        if self.activity.record_count > self.activity.published_record_count {
            self.activity.published_record_count = self.activity.record_count;
            self.activity.last_record_at_ms = Some(wall_now_ms);
        }
        let watermark = self.shard.watermark().filter(|_| !self.input_finished);
        let largest = |watermark: EventTime| EventTime::from_ms(watermark.ms() + out_of_orderness_ms + 1);
        PartitionStatus {
            partition: self.fence_token.partition,
            epoch: self.fence_token.epoch,
            next_offset: self.next_offset,
            watermark,
            max_event_time: watermark.map(largest),
            opened_at_ms: self.activity.opened_at_ms,
            last_record_at_ms: self.activity.last_record_at_ms,
            last_record_timestamp_ms: self.activity.last_record_timestamp_ms,
            record_count: self.activity.record_count,
            entity_count: self.shard.entity_count() as u64,
            last_checkpoint_bytes: self.last_checkpoint.state_bytes,
            last_checkpoint_offset: self.last_checkpoint.offset,
            last_checkpoint_at_ms: self.last_checkpoint.cut_at_ms,
        }
    }

    /// Returns whether records were processed since the last complete checkpoint.
    pub(super) fn has_uncheckpointed_records(&self) -> bool {
        self.next_offset.is_some() && self.next_offset != self.last_checkpoint.offset
    }
}
