//! What happens in a worker: one function per event, which writes its log line and counts it.
//!
//! Owns: log lines, counters and recent events of a worker. Does not own: what the worker does about an event.
//! Invariant: no other file of the worker logs an event that is also counted, so the two cannot drift apart.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::checkpoint::{CheckpointId, CheckpointSize, OpenedPartition, SavepointRequest};
use crate::metrics::{LateArrival, RecordingBudget};
use crate::{
    CheckpointRecord, CheckpointState, Clock, DeadLetter, Epoch, Partition, RefusedRow, RestoreRecord, TimelineMark,
    TimelineMarkKind, WorkerMetrics,
};

/// Dead letters that a worker logs one by one; it counts the rest.
const MAX_LOGGED_DEAD_LETTERS: u64 = 10;

/// Reports the events of one worker.
#[derive(Debug)]
pub(super) struct WorkerEvents {
    metrics: Arc<WorkerMetrics>,
    clock: Arc<dyn Clock>,
    budget: RecordingBudget,
}

impl WorkerEvents {
    pub(super) fn new(metrics: Arc<WorkerMetrics>, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, budget: RecordingBudget::full() }
    }

    /// Lets further late events and dead letters be recorded one by one.
    pub(super) fn refill_budget(&mut self) {
        self.budget = RecordingBudget::full();
    }

    fn mark(&self, kind: TimelineMarkKind, text: String) {
        self.metrics.recent_events.add_mark(TimelineMark { at_ms: self.clock.wall_now_ms(), kind, text });
    }

    pub(super) fn partitions_assigned(&self, partitions: &[Partition]) {
        self.mark(TimelineMarkKind::Assigned, format!("assigned {}", format_partitions(partitions)));
    }

    pub(super) fn partitions_lost(&self, partitions: &[Partition]) {
        warn!(?partitions, "partitions were lost to another member of the group");
        self.mark(TimelineMarkKind::Revoked, format!("lost {}", format_partitions(partitions)));
    }

    pub(super) fn partitions_released(&self, partitions: &[Partition]) {
        self.mark(TimelineMarkKind::Revoked, format!("gave up {}", format_partitions(partitions)));
    }

    pub(super) fn released_without_checkpoint(&self, partition: Partition) {
        warn!(
            partition,
            "partition released without a last checkpoint; the next owner reads again from the checkpoint before"
        );
    }

    pub(super) fn partition_opened(&self, opened: &OpenedPartition) {
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
            from = restored.savepoint_place.as_deref(),
            offset,
            entities = restored.entities,
            bytes = restored.bytes,
            took_ms = restored.duration.as_millis(),
            "restored"
        );
        self.metrics.checkpoints.record_restored(RestoreRecord {
            partition,
            checkpoint_id: restored.id,
            restored_at_ms: self.clock.wall_now_ms(),
            duration: restored.duration,
            savepoint_place: restored.savepoint_place.clone(),
            offset,
        });
    }

    pub(super) fn partition_fenced(&self, partition: Partition, newer_epoch: Epoch) {
        warn!(partition, newer_epoch, "another worker has claimed this partition: nothing more is written for it here");
        self.metrics.checkpoints.partitions_fenced.add(1);
    }

    pub(super) fn partition_reclaimed(&self, partition: Partition) {
        info!(partition, "the group confirms that this partition belongs to this worker: claiming it back");
    }

    pub(super) fn row_store_rewound(&self, partition: Partition) {
        warn!(
            partition,
            "the row store has lost rows that it had acknowledged; going back to the last checkpoint to write them again"
        );
    }

    pub(super) fn snapshot_started(&self, record: CheckpointRecord) {
        self.metrics.checkpoints.record_started(record);
    }

    /// Saving kept the worker from its records for `pause`.
    pub(super) fn snapshot_paused_worker(&self, pause: Duration) {
        self.metrics.checkpoints.record_pause(pause);
    }

    pub(super) fn snapshot_abandoned(&self, partition: Partition) {
        self.metrics.checkpoints.record_abandoned(partition);
    }

    /// The snapshot of `partition` that was being taken has ended.
    pub(super) fn snapshot_ended(&self, partition: Partition, number: u64, state: CheckpointState) {
        let ended_at_ms = self.clock.wall_now_ms();
        self.metrics.checkpoints.record_ended(partition, |record| {
            record.number = Some(number);
            record.state = state;
            record.ended_at_ms = Some(ended_at_ms);
        });
    }

    pub(super) fn checkpoint_completed(&self, size: CheckpointSize, duration: Duration) {
        self.metrics.checkpoints.record_completed(size, duration);
    }

    pub(super) fn checkpoint_failed(&self, partition: Partition, reason: &str) {
        error!(
            partition,
            reason, "checkpoint failed; records are still processed, and the next checkpoint is due as usual"
        );
        self.metrics.checkpoints.failed.add(1);
        self.mark(TimelineMarkKind::CheckpointFailed, format!("partition {partition}: {reason}"));
    }

    pub(super) fn savepoint_completed(
        &self,
        partition: Partition,
        request: &SavepointRequest,
        checkpoint: CheckpointId,
        bytes: u64,
    ) {
        info!(partition, %checkpoint, bytes, savepoint = request.id, "saved");
        self.mark(TimelineMarkKind::Savepoint, format!("{} in {}", request.id, request.store.place()));
    }

    pub(super) fn savepoint_failed(&self, partition: Partition, request: &SavepointRequest, reason: &str) {
        error!(partition, savepoint = request.id, reason, "savepoint failed; retrying");
    }

    pub(super) fn stopped_without_checkpoint(&self, partitions: &[Partition]) {
        warn!(?partitions, "stopped without a last checkpoint; the next start reads again from the checkpoint before");
    }

    pub(super) fn late_event(&mut self, late: LateArrival<'_>) {
        let Self { metrics, clock, budget } = self;
        budget.record_late_event(&metrics.recent_events, late, || clock.wall_now_ms());
    }

    pub(super) fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let Self { metrics, clock, budget } = self;
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

    pub(super) fn rows_refused(&mut self, rows: &[RefusedRow]) {
        let Self { metrics, clock, budget } = self;
        metrics.refused_rows.add(rows.len() as u64);
        for row in rows {
            budget.record_refused_row(&metrics.recent_events, row, || clock.wall_now_ms());
        }
    }
}

/// `partition 3`, `partitions 0, 1`.
fn format_partitions(partitions: &[Partition]) -> String {
    let numbers: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    format!("partition{} {}", if partitions.len() == 1 { "" } else { "s" }, numbers.join(", "))
}
