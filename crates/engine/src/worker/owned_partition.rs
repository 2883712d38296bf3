//! A partition that a worker has opened, with its shard, next offset, checkpoint progress and snapshot schedule.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{BaseOrDelta, EventTime, Shard};

use super::clock_reading::{ClockReading, LastActivity};
use super::partition_clock::PartitionClock;
use super::record_key_check::RecordKeyCheck;
use crate::checkpoint::{OpenedPartition, StateCompleteness, derive_fingerprint_after_restart};
use crate::{ClockDecisions, FenceToken, JobDefinition, LeaderEpoch, Offset, PartitionStatus};

/// The data of an opened partition.
#[derive(Debug)]
pub(super) struct OwnedPartition {
    pub(super) fence_token: FenceToken,
    pub(super) shard: Shard,
    /// The offset of the next record to process; `None` if unknown.
    pub(super) next_offset: Option<Offset>,
    /// The leader epoch of the record before `next_offset`; `None` if unknown.
    pub(super) leader_epoch: Option<LeaderEpoch>,
    /// Whether the bounded input of the partition has ended and all its windows have fired.
    pub(super) input_finished: bool,
    /// What the wall clock has decided about the partition.
    pub(super) clock: PartitionClock,
    pub(super) last_activity: LastActivity,
    /// Whether the watermark follows the wall clock, because no record has come for a while.
    pub(super) follows_clock: bool,
    pub(super) row_numbering: RowNumbering,
    completeness: StateCompleteness,
    pub(super) checkpoint_progress: CheckpointProgress,
    pub(super) snapshot_schedule: SnapshotSchedule,
    pub(super) read_stats: PartitionReadStats,
    pub(super) record_key_check: RecordKeyCheck,
}

/// The numbering of a partition's rows. Each list has one entry for each view, in the order of the pipeline's views.
#[derive(Debug, Default)]
pub(super) struct RowNumbering {
    /// For each view, a fingerprint of the offset and the settings with which row counting started. The row numbers of
    /// two runs are comparable only if the runs have the same fingerprint.
    pub(super) row_numbering_fingerprints: Vec<u64>,
    /// For each view, the number of the last row before the worker began this numbering; empty if the partition was
    /// opened with it.
    pub(super) rows_before_numbering: Vec<u64>,
    /// For each view, the number of the last row that the row store had when the worker opened the partition. The
    /// worker does not write rows with this or a smaller number again.
    pub(super) last_written_row_number_by_view: Vec<u64>,
}

/// How far the checkpoints of a partition have come. Before the first checkpoint is complete, the fields have other
/// values, which their docs describe.
#[derive(Debug)]
pub(super) struct CheckpointProgress {
    /// The offset of the first record that the last complete checkpoint does not include; `None` before the first
    /// checkpoint, and after [`OwnedPartition::prepare_for_new_input`].
    pub(super) checkpoint_offset: Option<Offset>,
    /// The monotonic time of the last complete checkpoint's cut. Until the worker has completed a checkpoint, the time
    /// at which it opened the partition.
    pub(super) cut_at: Duration,
    /// The wall-clock time of the last complete checkpoint's cut, in epoch milliseconds; `None` before the first
    /// checkpoint.
    pub(super) cut_at_ms: Option<i64>,
    /// The size in bytes of all layers of the last complete checkpoint; 0 before the first checkpoint.
    pub(super) checkpoint_total_bytes: u64,
}

/// When the next checkpoint and the next savepoint of a partition are due, in monotonic time; whether the next
/// checkpoint is a base or a delta; and which savepoint was the last.
#[derive(Debug)]
pub(super) struct SnapshotSchedule {
    /// Whether the next checkpoint must be a base or a delta.
    pub(super) next_base_or_delta: BaseOrDelta,
    pub(super) checkpoint_due_at: Duration,
    pub(super) savepoint_due_at: Duration,
    /// The name of the last savepoint that this partition was written to.
    pub(super) last_completed_savepoint_id: Option<Arc<str>>,
}

/// Counts and times of the records that the worker has processed after it opened the partition. Times are in epoch
/// milliseconds.
#[derive(Debug)]
pub(super) struct PartitionReadStats {
    pub(super) opened_at_ms: i64,
    /// The approximate wall-clock time at which the worker processed the last record. The value is the time of the
    /// first publication of metrics after that record.
    last_record_processed_at_ms: Option<i64>,
    /// The Kafka timestamp of the last record.
    pub(super) last_record_timestamp_ms: Option<i64>,
    pub(super) processed_record_count: u64,
    published_record_count: u64,
}

impl OwnedPartition {
    /// Creates a partition from the state that the checkpoint thread has restored. A checkpoint of the partition is due
    /// every `interval`.
    pub(super) fn new(opened: OpenedPartition, clock: ClockReading, interval: Duration) -> Self {
        let OpenedPartition {
            shard,
            fence_token,
            next_offset,
            leader_epoch,
            checkpoint_offset,
            row_numbering_fingerprints: fingerprints,
            last_written_row_number_by_view: rows_written,
            next_base_or_delta,
            restored_checkpoint,
            clock_decisions,
            written_position,
            event_time_limit,
            completeness,
            ..
        } = opened;
        let begins_before_known_decisions = next_offset.is_some_and(|offset| offset < clock_decisions.known_from);
        let partition_clock = PartitionClock::new(clock_decisions, next_offset, written_position, event_time_limit);
        let continues = next_base_or_delta == BaseOrDelta::Delta;
        // The first checkpoint of a partition is due at once, because it stores the start offset. Without that
        // checkpoint, a partition with the start position `latest` would start at another offset after a crash. The
        // first checkpoint also stores the state that came from a savepoint.
        let checkpoint_due =
            if checkpoint_offset.is_some() && continues { clock.monotonic_now + interval } else { clock.monotonic_now };
        let offset = checkpoint_offset.filter(|_| continues);
        let restored = restored_checkpoint.filter(|_| offset.is_some());
        let fresh = Self::new_without_checkpoints(shard, fence_token, next_offset, clock);
        let mut owned = Self {
            leader_epoch,
            clock: partition_clock,
            completeness,
            row_numbering: RowNumbering {
                row_numbering_fingerprints: fingerprints,
                rows_before_numbering: Vec::new(),
                last_written_row_number_by_view: rows_written,
            },
            checkpoint_progress: CheckpointProgress {
                checkpoint_offset: offset,
                cut_at: clock.monotonic_now,
                cut_at_ms: restored.as_ref().map(|restored| restored.taken_at_ms),
                checkpoint_total_bytes: restored.map_or(0, |restored| restored.checkpoint_byte_count),
            },
            snapshot_schedule: SnapshotSchedule {
                next_base_or_delta,
                checkpoint_due_at: checkpoint_due,
                ..fresh.snapshot_schedule
            },
            ..fresh
        };
        if begins_before_known_decisions {
            // Stored fingerprints are hashes that include this text, so the text must never change.
            owned.restart_row_counting("clock decisions are unknown");
        }
        owned
    }

    /// Creates a partition of a job without checkpoints. The state of the partition is lost when the worker ends.
    pub(super) fn new_without_checkpoints(
        shard: Shard,
        fence_token: FenceToken,
        next_offset: Option<Offset>,
        clock: ClockReading,
    ) -> Self {
        let record_key_check = RecordKeyCheck::new(fence_token.partition, shard.watermark());
        Self {
            fence_token,
            shard,
            next_offset,
            leader_epoch: None,
            input_finished: false,
            clock: PartitionClock::new(ClockDecisions::default(), next_offset, None, None),
            last_activity: LastActivity { noticed_at: clock, processed_record_count: 0 },
            follows_clock: false,
            row_numbering: RowNumbering::default(),
            completeness: StateCompleteness::default(),
            checkpoint_progress: CheckpointProgress {
                checkpoint_offset: None,
                cut_at: clock.monotonic_now,
                cut_at_ms: None,
                checkpoint_total_bytes: 0,
            },
            snapshot_schedule: SnapshotSchedule {
                next_base_or_delta: BaseOrDelta::Base,
                checkpoint_due_at: Duration::MAX,
                savepoint_due_at: clock.monotonic_now,
                last_completed_savepoint_id: None,
            },
            read_stats: PartitionReadStats {
                opened_at_ms: clock.wall_now_ms,
                last_record_processed_at_ms: None,
                last_record_timestamp_ms: None,
                processed_record_count: 0,
                published_record_count: 0,
            },
            record_key_check,
        }
    }

    /// Replaces the fingerprints of the row numbering. The new fingerprints depend on the old fingerprints, `cause` and
    /// the next offset. From this offset on, another run over the same records may number its rows differently. The new
    /// fingerprints show that the row numbers of two such runs are not comparable. The row store has no row with the
    /// new fingerprints, so the worker writes every later row.
    pub(super) fn restart_row_counting(&mut self, cause: &str) {
        let offset = self.next_offset;
        self.row_numbering.rows_before_numbering = self.shard.snapshot_metadata().emitted_row_counts;
        let RowNumbering {
            row_numbering_fingerprints: fingerprints,
            last_written_row_number_by_view: rows_written,
            ..
        } = &mut self.row_numbering;
        fingerprints
            .iter_mut()
            .for_each(|fingerprint| *fingerprint = derive_fingerprint_after_restart(*fingerprint, cause, offset));
        rows_written.fill(0);
    }

    /// Restarts row counting because records without a key are refused from now on.
    pub(super) fn restart_row_counting_for_required_keys(&mut self) {
        // Stored fingerprints are hashes that include this text, so the text must never change.
        self.restart_row_counting("keys are required");
    }

    /// Resets the watermark after the end of a bounded input, so that a later run can process new records. The next
    /// checkpoint must then be a base. The older layers still hold state that the shard removed when the input ended. A
    /// restore from a delta on these layers would bring that state back.
    pub(super) fn prepare_for_new_input(&mut self) {
        self.shard.reset_watermark_after_input_end();
        // Stored fingerprints are hashes that include this text, so the text must never change.
        self.restart_row_counting("a new beginning");
        self.input_finished = false;
        self.checkpoint_progress.checkpoint_offset = None;
        self.snapshot_schedule.next_base_or_delta = BaseOrDelta::Base;
    }

    /// Returns the status of the partition. If the worker has processed records after the previous call, `wall_now_ms`
    /// becomes the processing time of the last record.
    pub(super) fn build_status(&mut self, job: &JobDefinition, wall_now_ms: i64) -> PartitionStatus {
        if self.read_stats.processed_record_count > self.read_stats.published_record_count {
            self.read_stats.published_record_count = self.read_stats.processed_record_count;
            self.read_stats.last_record_processed_at_ms = Some(wall_now_ms);
        }
        let watermark = self.shard.watermark().filter(|_| !self.input_finished);
        let watermark_by_events = self.shard.watermark_by_events();
        let out_of_orderness_ms = job.max_out_of_orderness_ms;
        let largest = |watermark: EventTime| EventTime::from_ms(watermark.ms() + out_of_orderness_ms + 1);
        PartitionStatus {
            partition: self.fence_token.partition,
            epoch: self.fence_token.epoch,
            next_offset: self.next_offset,
            watermark,
            max_event_time: watermark_by_events.filter(|_| watermark.is_some()).map(largest),
            follows_clock: self.follows_clock,
            opened_at_ms: self.read_stats.opened_at_ms,
            last_record_processed_at_ms: self.read_stats.last_record_processed_at_ms,
            last_record_timestamp_ms: self.read_stats.last_record_timestamp_ms,
            processed_record_count: self.read_stats.processed_record_count,
            entity_count: self.shard.entity_count() as u64,
            last_checkpoint_total_bytes: self.checkpoint_progress.checkpoint_total_bytes,
            last_checkpoint_offset: self.checkpoint_progress.checkpoint_offset,
            last_checkpoint_at_ms: self.checkpoint_progress.cut_at_ms,
            incomplete_features: self.completeness.incomplete_features(&job.views, watermark),
        }
    }

    /// Notes the time if the worker has processed records since the last call. Such a partition is not idle.
    pub(super) fn note_activity(&mut self, now: ClockReading) {
        let processed_record_count = self.read_stats.processed_record_count;
        if processed_record_count != self.last_activity.processed_record_count {
            self.last_activity = LastActivity { noticed_at: now, processed_record_count };
            self.follows_clock = false;
        }
    }

    /// Returns whether the worker has processed records that the last complete checkpoint does not include. Also
    /// returns true before the first checkpoint, if the next offset is known.
    pub(super) fn has_uncheckpointed_records(&self) -> bool {
        self.next_offset.is_some() && self.next_offset != self.checkpoint_progress.checkpoint_offset
    }
}
