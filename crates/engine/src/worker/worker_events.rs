//! Reports the events of a worker. One function per event writes its log line and updates its metric.
//!
//! Owns: log lines, counters and recent events of a worker. Does not own: the worker's reaction to an event. Invariant:
//! no other file of the worker logs an event that is also counted, so log and metrics agree.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::checkpoint::{CheckpointId, CheckpointSize, OpenedPartition, SavepointRequest};
use crate::metrics::{LateArrival, RecordingBudget};
use crate::{
    CheckpointRecord, CheckpointState, Clock, DeadLetter, Epoch, Partition, RefusedRow, RestoreRecord, TimelineMark,
    TimelineMarkKind, WorkerMetrics,
};

/// The number of dead letters that a worker logs one by one. Later ones are only counted.
const MAX_LOGGED_DEAD_LETTERS: u64 = 10;

/// Writes the log lines and updates the metrics of one worker's events.
#[derive(Debug)]
pub(super) struct WorkerEvents {
    metrics: Arc<WorkerMetrics>,
    clock: Arc<dyn Clock>,
    recording_budget: RecordingBudget,
}

impl WorkerEvents {
    pub(super) fn new(metrics: Arc<WorkerMetrics>, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, recording_budget: RecordingBudget::full() }
    }

    /// Allows further late events and dead letters to be recorded one by one.
    pub(super) fn refill_recording_budget(&mut self) {
        self.recording_budget = RecordingBudget::full();
    }

    fn add_timeline_mark(&self, kind: TimelineMarkKind, text: String) {
        self.metrics.recent_events.add_mark(TimelineMark { marked_at_ms: self.clock.wall_now_ms(), kind, label: text });
    }

    pub(super) fn report_partitions_assigned(&self, partitions: &[Partition]) {
        self.add_timeline_mark(TimelineMarkKind::Assigned, format!("assigned {}", format_partitions(partitions)));
    }

    pub(super) fn report_partitions_lost(&self, partitions: &[Partition]) {
        warn!(?partitions, "partitions were lost to another member of the group");
        self.add_timeline_mark(TimelineMarkKind::Revoked, format!("lost {}", format_partitions(partitions)));
    }

    pub(super) fn report_partitions_released(&self, partitions: &[Partition]) {
        self.add_timeline_mark(TimelineMarkKind::Revoked, format!("gave up {}", format_partitions(partitions)));
    }

    pub(super) fn report_release_without_checkpoint(&self, partition: Partition) {
        warn!(
            partition,
            "partition released without a last checkpoint; the next owner reads again from the checkpoint before"
        );
    }

    pub(super) fn report_partition_opened(&self, opened: &OpenedPartition) {
        let (partition, epoch) = (opened.fence_token.partition, opened.fence_token.epoch);
        let offset = opened.next_offset;
        let Some(restored) = &opened.restored_from else {
            info!(partition, epoch, offset, "no checkpoint yet: beginning with empty state");
            return;
        };
        info!(
            partition,
            epoch,
            checkpoint = %restored.id,
            from = restored.origin_savepoint_place.as_deref(),
            offset,
            entities = restored.entity_count,
            bytes = restored.byte_count,
            took_ms = restored.restore_duration.as_millis(),
            "restored"
        );
        self.metrics.checkpoints.record_restored(RestoreRecord {
            partition,
            checkpoint_id: restored.id,
            restored_at_ms: self.clock.wall_now_ms(),
            restore_duration: restored.restore_duration,
            origin_savepoint_place: restored.origin_savepoint_place.clone(),
            start_offset: offset,
        });
    }

    pub(super) fn report_partition_fenced(&self, partition: Partition, newer_epoch: Epoch) {
        warn!(partition, newer_epoch, "another worker has claimed this partition: nothing more is written for it here");
        self.metrics.checkpoints.partitions_fenced.add(1);
    }

    pub(super) fn report_partition_reclaimed(&self, partition: Partition) {
        info!(partition, "the group confirms that this partition belongs to this worker: claiming it back");
    }

    pub(super) fn report_row_store_rewound(&self, partition: Partition) {
        warn!(
            partition,
            "the row store has lost rows that it had acknowledged; going back to the last checkpoint to write them again"
        );
    }

    pub(super) fn report_snapshot_started(&self, record: CheckpointRecord) {
        self.metrics.checkpoints.record_started(record);
    }

    /// Records that saving paused record processing for `pause`.
    pub(super) fn report_snapshot_pause(&self, pause: Duration) {
        self.metrics.checkpoints.record_snapshot_pause(pause);
    }

    pub(super) fn report_snapshot_abandoned(&self, partition: Partition) {
        self.metrics.checkpoints.forget_in_progress(partition);
    }

    /// Records the end of the current snapshot of `partition`.
    pub(super) fn report_snapshot_ended(&self, partition: Partition, number: u64, state: CheckpointState) {
        let ended_at_ms = self.clock.wall_now_ms();
        self.metrics.checkpoints.record_ended(partition, |record| {
            record.number = Some(number);
            record.state = state;
            record.ended_at_ms = Some(ended_at_ms);
        });
    }

    pub(super) fn report_checkpoint_completed(&self, size: CheckpointSize, duration: Duration) {
        self.metrics.checkpoints.record_completed(size, duration);
    }

    pub(super) fn report_checkpoint_failed(&self, partition: Partition, reason: &str) {
        error!(
            partition,
            reason, "checkpoint failed; records are still processed, and the next checkpoint is due as usual"
        );
        self.metrics.checkpoints.failed_checkpoints.add(1);
        self.add_timeline_mark(TimelineMarkKind::CheckpointFailed, format!("partition {partition}: {reason}"));
    }

    pub(super) fn report_savepoint_completed(
        &self,
        partition: Partition,
        request: &SavepointRequest,
        checkpoint: CheckpointId,
        bytes: u64,
    ) {
        info!(partition, %checkpoint, bytes, savepoint = request.id, "saved");
        self.add_timeline_mark(
            TimelineMarkKind::Savepoint,
            format!("{} in {}", request.id, request.target_store.place()),
        );
    }

    pub(super) fn report_savepoint_failed(&self, partition: Partition, request: &SavepointRequest, reason: &str) {
        error!(partition, savepoint = request.id, reason, "savepoint failed; retrying");
    }

    pub(super) fn report_stop_without_checkpoint(&self, partitions: &[Partition]) {
        warn!(?partitions, "stopped without a last checkpoint; the next start reads again from the checkpoint before");
    }

    pub(super) fn report_late_event(&mut self, late: LateArrival<'_>) {
        let Self { metrics, clock, recording_budget: budget } = self;
        budget.record_late_event(&metrics.recent_events, late, || clock.wall_now_ms());
    }

    pub(super) fn report_dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let Self { metrics, clock, recording_budget: budget } = self;
        budget.record_dead_letter(&metrics.recent_events, letter, || clock.wall_now_ms());
        metrics.dead_letters.add(1);
        let count = metrics.dead_letters.get();
        if count <= MAX_LOGGED_DEAD_LETTERS {
            let (topic, partition, offset) = (letter.topic, letter.record.partition, letter.record.offset);
            warn!(topic, partition, offset, reason = letter.reason, "dead letter");
        }
        if count == MAX_LOGGED_DEAD_LETTERS {
            warn!("further dead letters are counted, not logged one by one");
        }
    }

    pub(super) fn report_rows_refused(&mut self, rows: &[RefusedRow]) {
        let Self { metrics, clock, recording_budget: budget } = self;
        metrics.refused_rows.add(rows.len() as u64);
        for row in rows {
            budget.record_refused_row(&metrics.recent_events, row, || clock.wall_now_ms());
        }
    }
}

/// Formats partition numbers as `partition 3` or `partitions 0, 1`.
fn format_partitions(partitions: &[Partition]) -> String {
    let numbers: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    format!("partition{} {}", if partitions.len() == 1 { "" } else { "s" }, numbers.join(", "))
}
