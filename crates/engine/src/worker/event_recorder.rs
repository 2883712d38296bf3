//! Reports what happens in a worker. An occurrence is, for example, a dead letter or a failed checkpoint. For each kind
//! of occurrence, one function writes the log line and updates the metrics. Late events are too many to log. This module
//! only keeps the newest late events for the pages, and `row_emitter` counts all of them.
//!
//! Owns: a worker's log lines, counters and lists of recent occurrences. Does not own: the worker's reaction to an
//! occurrence. Invariant: no other file of the worker logs an occurrence that is also counted, so that the log and the
//! metrics agree.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{debug, error, info, warn};
use windrow_core::text::pluralize;
use windrow_core::{EventTime, FeatureOverflow, FeatureView};

use super::key_text::format_key;
use crate::checkpoint::{CheckpointId, CheckpointSize, OpenedPartition, SavepointRequest};
use crate::halt::{ErrorChain, LostOffset};
use crate::metrics::{LateArrival, RecordingBudget};
use crate::record_key::{MisplacedRecord, Misplacement};
use crate::{
    CheckpointRecord, CheckpointState, Clock, DeadLetter, Epoch, Halt, InputProblem, InputProblemKind, ParkedPartition,
    Partition, RefusedRow, RestoreRecord, SourceRecord, TimelineMark, TimelineMarkKind, WorkerMetrics,
};

/// The maximum number of dead letters for which a worker writes a log line. The worker counts later dead letters
/// without logging them.
const MAX_LOGGED_DEAD_LETTERS: u64 = 10;

/// Writes the log lines and updates the metrics of one worker.
#[derive(Debug)]
pub(super) struct WorkerEventRecorder {
    metrics: Arc<WorkerMetrics>,
    clock: Arc<dyn Clock>,
    recording_budget: RecordingBudget,
}

impl WorkerEventRecorder {
    pub(super) fn new(metrics: Arc<WorkerMetrics>, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, recording_budget: RecordingBudget::new_full() }
    }

    /// Lets the metrics' lists accept late events and dead letters again. The worker calls this function when it
    /// publishes its metrics.
    pub(super) fn refill_recording_budget(&mut self) {
        self.recording_budget = RecordingBudget::new_full();
    }

    fn add_timeline_mark(&self, kind: TimelineMarkKind, label: String) {
        self.metrics.recent_events.add_timeline_mark(TimelineMark {
            marked_at_ms: self.clock.wall_now_ms(),
            kind,
            label,
        });
    }

    pub(super) fn record_partitions_assigned(&self, partitions: &[Partition]) {
        debug!(?partitions, "the consumer group assigned partitions");
        self.add_timeline_mark(TimelineMarkKind::Assigned, format!("assigned {}", format_partitions(partitions)));
    }

    pub(super) fn record_partitions_lost(&self, partitions: &[Partition]) {
        warn!(?partitions, "partitions were lost to another member of the group before this worker released them");
        self.add_timeline_mark(TimelineMarkKind::Revoked, format!("lost {}", format_partitions(partitions)));
    }

    pub(super) fn record_partitions_released(&self, partitions: &[Partition]) {
        self.add_timeline_mark(TimelineMarkKind::Revoked, format!("released {}", format_partitions(partitions)));
    }

    pub(super) fn record_release_without_checkpoint(&self, partition: Partition) {
        warn!(
            partition,
            "partition released without a last checkpoint; the next owner resumes from the previous checkpoint"
        );
    }

    pub(super) fn record_partition_opened(&self, opened: &OpenedPartition) {
        let (partition, epoch) = (opened.fence_token.partition, opened.fence_token.epoch);
        if self.metrics.parked_partitions.remove_opened(partition) {
            info!(partition, "the fault of the parked partition is resolved; the partition is read again");
        }
        let offset = opened.next_offset;
        let Some(restored) = &opened.restored_checkpoint else {
            info!(partition, epoch, offset, "partition opened with empty state, because it has no checkpoint");
            return;
        };
        info!(
            partition,
            epoch,
            checkpoint = %restored.checkpoint_id,
            from = restored.origin_savepoint_place.as_deref(),
            offset,
            entities = restored.entity_count,
            bytes = restored.checkpoint_byte_count,
            took_ms = restored.restore_duration.as_millis(),
            "partition restored from a checkpoint"
        );
        self.metrics.checkpoint_metrics.record_partition_restored(RestoreRecord {
            partition,
            restored_checkpoint_id: restored.checkpoint_id,
            restored_at_ms: self.clock.wall_now_ms(),
            restore_duration: restored.restore_duration,
            origin_savepoint_place: restored.origin_savepoint_place.clone(),
            start_offset: offset,
        });
    }

    /// Logs that the source has deleted the next records of a partition, so the worker takes a last checkpoint.
    pub(super) fn record_next_records_deleted(&self, lost: &LostOffset) {
        let partition = lost.partition;
        warn!(partition, fault = %lost, "the next records of the partition are deleted; taking a last checkpoint");
    }

    /// Notes that the worker has parked a partition, or that an attempt to open it has failed. Logs only the first
    /// failure, and one with a fault of another kind: the text of a lost offset changes with the end of the partition.
    pub(super) fn record_partition_parked(&self, partition: Partition, fault: Halt, retry_delay: Duration) {
        let now_ms = self.clock.wall_now_ms();
        let (text, fault_kind) = (ErrorChain(&fault).to_string(), mem::discriminant(&fault));
        let latest = ParkedPartition { parked_at_ms: now_ms, attempted_at_ms: now_ms, retry_delay, fault };
        let known = self.metrics.parked_partitions.note_failed_attempt(partition, latest);
        let is_known_fault = known.as_ref().is_some_and(|known| mem::discriminant(&known.fault) == fault_kind);
        let retry_in_s = retry_delay.as_secs();
        if is_known_fault {
            debug!(partition, retry_in_s, "the fault of the parked partition lasts");
            return;
        }
        error!(
            partition,
            fault = text,
            retry_in_s,
            "partition parked because of a fault; it writes nothing until the fault is resolved, and the worker continues \
             with its other partitions"
        );
        if known.is_none() {
            self.add_timeline_mark(TimelineMarkKind::Revoked, format!("parked {}", format_partitions(&[partition])));
        }
    }

    /// Logs that a savepoint fails because `partition` is parked. Returns the text of the partition's fault.
    pub(super) fn record_savepoint_refused(&self, partition: Partition, request: &SavepointRequest) -> String {
        let parked = self.metrics.parked_partitions.list_parked();
        let fault = parked.get(&partition).map(|parked| ErrorChain(&parked.fault).to_string()).unwrap_or_default();
        error!(
            partition,
            savepoint = request.savepoint_id,
            fault,
            "savepoint refused, because the partition is parked"
        );
        fault
    }

    /// Forgets the parked partitions for which `is_parked` returns false: the worker has released them.
    pub(super) fn forget_unparked_partitions(&self, is_parked: impl Fn(Partition) -> bool) {
        self.metrics.parked_partitions.retain_partitions(is_parked);
    }

    pub(super) fn record_partition_fenced(&self, partition: Partition, newer_epoch: Epoch) {
        warn!(
            partition,
            newer_epoch, "another worker has claimed this partition; this worker writes nothing more for it"
        );
        self.metrics.checkpoint_metrics.partitions_fenced.add(1);
    }

    pub(super) fn record_partition_reclaimed(&self, partition: Partition) {
        info!(
            partition,
            "the group confirms that this worker owns the partition; the worker claims the partition back"
        );
    }

    pub(super) fn record_group_left(&self, silence: Duration) {
        warn!(
            silent_for_s = silence.as_secs(),
            "the checkpoint store does not answer, and no partition of this worker is open; leaving the consumer group until \
             the store answers, so that other instances get the partitions"
        );
    }

    pub(super) fn record_group_rejoined(&self) {
        info!("the checkpoint store answers again; joining the consumer group");
    }

    pub(super) fn record_keys_required(&self, partition_count: Partition, key_field: &str) {
        warn!(
            partition_count,
            key_field,
            "the topic has several partitions now, so each record needs a key; a record without one is a dead letter"
        );
    }

    pub(super) fn record_row_store_lost_rows(&self, partition: Partition) {
        warn!(partition, "the row store has lost acknowledged rows; the partition restarts from its last checkpoint");
    }

    pub(super) fn record_snapshot_started(&self, record: CheckpointRecord) {
        self.metrics.checkpoint_metrics.record_checkpoint_started(record);
    }

    pub(super) fn record_snapshot_pause(&self, pause: Duration) {
        self.metrics.checkpoint_metrics.record_snapshot_pause(pause);
    }

    pub(super) fn record_snapshot_abandoned(&self, partition: Partition) {
        self.metrics.checkpoint_metrics.forget_checkpoint_in_progress(partition);
    }

    pub(super) fn record_snapshot_ended(&self, partition: Partition, checkpoint_number: u64, state: CheckpointState) {
        let ended_at_ms = self.clock.wall_now_ms();
        self.metrics.checkpoint_metrics.record_checkpoint_ended(partition, |record| {
            record.checkpoint_number = Some(checkpoint_number);
            record.state = state;
            record.ended_at_ms = Some(ended_at_ms);
        });
    }

    pub(super) fn record_checkpoint_completed(&self, size: CheckpointSize, duration: Duration) {
        self.metrics.checkpoint_metrics.count_completed_checkpoint(size, duration);
    }

    pub(super) fn record_checkpoint_failed(&self, partition: Partition, reason: &str) {
        error!(
            partition,
            reason, "checkpoint failed; the worker still processes records, and takes the next checkpoint as usual"
        );
        self.metrics.checkpoint_metrics.failed_checkpoints.add(1);
        self.add_timeline_mark(TimelineMarkKind::CheckpointFailed, format!("partition {partition}: {reason}"));
    }

    pub(super) fn record_savepoint_completed(
        &self,
        partition: Partition,
        request: &SavepointRequest,
        checkpoint: CheckpointId,
        bytes: u64,
    ) {
        info!(partition, %checkpoint, bytes, savepoint = request.savepoint_id, "partition saved in the savepoint");
        self.add_timeline_mark(
            TimelineMarkKind::Savepoint,
            format!("{} in {}", request.savepoint_id, request.target_store.place()),
        );
    }

    pub(super) fn record_savepoint_failed(&self, partition: Partition, request: &SavepointRequest, reason: &str) {
        error!(
            partition,
            savepoint = request.savepoint_id,
            reason,
            "partition not saved in the savepoint; the worker retries"
        );
    }

    pub(super) fn record_stop_without_checkpoint(&self, partitions: &[Partition]) {
        warn!(
            ?partitions,
            "worker stopped without last checkpoints; the next start resumes from the previous checkpoints"
        );
    }

    pub(super) fn keep_recent_late_event(&mut self, late: LateArrival<'_>) {
        let Self { metrics, clock, recording_budget: budget } = self;
        budget.keep_recent_late_event(&metrics.recent_events, late, || clock.wall_now_ms());
    }

    pub(super) fn record_dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let Self { metrics, clock, recording_budget: budget } = self;
        budget.record_dead_letter(&metrics.recent_events, letter, || clock.wall_now_ms());
        metrics.dead_letters.add(1);
        let count = metrics.dead_letters.get();
        if count <= MAX_LOGGED_DEAD_LETTERS {
            let (topic, partition, offset) = (letter.source_topic, letter.record.partition, letter.record.offset);
            warn!(topic, partition, offset, reason = letter.reason, "dead letter");
        }
        if count == MAX_LOGGED_DEAD_LETTERS {
            warn!("the worker counts further dead letters, but does not log them");
        }
    }

    /// Counts a misplaced record. Logs the first, the tenth, the hundredth and so on.
    pub(super) fn record_misplaced_record(&mut self, misplaced: &MisplacedRecord<'_>) {
        let Self { metrics, clock, recording_budget: budget } = self;
        metrics.misplaced_records.add(1);
        let count = metrics.misplaced_records.get();
        let MisplacedRecord { source_record: &SourceRecord { partition, offset, .. }, key_field, misplacement, .. } =
            *misplaced;
        let Misplacement { expected_partition, cause } = misplacement;
        let (record_key, entity_key) =
            (|| format_key(misplaced.record_key), || format_key(misplaced.entity_key.as_bytes()));
        if is_power_of_ten(count) {
            error!(
                partition,
                offset,
                record_key = record_key(),
                entity_key = entity_key(),
                expected_partition,
                count,
                "misplaced record, because {cause}; make all producers send `{key_field}` as the record key, with the same \
                 partitioner"
            );
        }
        let kind = InputProblemKind::MisplacedRecord;
        budget.record_input_problem(&metrics.recent_events, kind, || InputProblem {
            kind,
            found_at_ms: clock.wall_now_ms(),
            description: format!(
                "Records are in the wrong partition, because {cause}. The record at offset {offset} with the key `{}` and \
                 {key_field} `{}` is in partition {partition} and belongs in partition {expected_partition}",
                record_key(),
                entity_key()
            ),
            remedy: format!("Make all producers send `{key_field}` as the record key, with the same partitioner."),
        });
    }

    /// Counts an event whose time would be near the time of its record with `setting`. Logs the first, the tenth, the
    /// hundredth and so on.
    pub(super) fn record_misread_event_time(
        &mut self,
        record: &SourceRecord<'_>,
        event_time: EventTime,
        setting: &str,
    ) {
        let Self { metrics, clock, recording_budget: budget } = self;
        metrics.misread_event_times.add(1);
        let count = metrics.misread_event_times.get();
        let kind = InputProblemKind::MisreadEventTime;
        let read_as = || {
            Timestamp::from_millisecond(event_time.ms())
                .map_or_else(|_| format!("{} ms", event_time.ms()), |time| time.to_string())
        };
        budget.record_input_problem(&metrics.recent_events, kind, || InputProblem {
            kind,
            found_at_ms: clock.wall_now_ms(),
            description: format!(
                "Event times are read wrongly. The event at offset {} of partition {} is read as {}, years away \
                 from the time of its record",
                record.offset,
                record.partition,
                read_as()
            ),
            remedy: format!("Set this in [event]: {setting}"),
        });
        if is_power_of_ten(count) {
            error!(
                partition = record.partition,
                offset = record.offset,
                event_time_ms = event_time.ms(),
                record_timestamp_ms = record.timestamp_ms,
                count,
                setting,
                "event time is years away from the time of its record; it would be near it with this setting in [event]"
            );
        }
    }

    /// Counts overflows of the sum of a feature. Logs the first of each feature.
    pub(super) fn record_feature_overflow(&mut self, view: &FeatureView, overflow: FeatureOverflow) {
        let Self { metrics, clock, recording_budget: budget } = self;
        let FeatureOverflow { view_id, feature_index, overflow_count } = overflow;
        let count = metrics.view_metrics[view_id.0].feature_overflows.add(feature_index, overflow_count);
        let (view_name, feature) = (&view.name, &view.features[feature_index].name);
        if count == overflow_count {
            warn!(
                feature_view = %view_name,
                %feature,
                count,
                "a sum does not fit into its type: longs wrap around, doubles become infinite"
            );
        }
        let kind = InputProblemKind::FeatureOverflow { view_id, feature_index };
        budget.record_input_problem(&metrics.recent_events, kind, || InputProblem {
            kind,
            found_at_ms: clock.wall_now_ms(),
            description: format!(
                "Sums of feature `{feature}` of `{view_name}` do not fit into their type: longs wrap around, doubles \
                 become infinite"
            ),
            remedy: "Check the values of the field. Declare a long as \"double\" if such sums are right.".to_owned(),
        });
    }

    pub(super) fn record_rows_refused(&mut self, rows: &[RefusedRow]) {
        let Self { metrics, clock, recording_budget: budget } = self;
        metrics.refused_rows.add(rows.len() as u64);
        for row in rows {
            budget.record_refused_row(&metrics.recent_events, row, || clock.wall_now_ms());
        }
    }
}

/// Returns whether `count` is 1, 10, 100 and so on.
fn is_power_of_ten(count: u64) -> bool {
    count.checked_ilog10().is_some_and(|exponent| count == 10_u64.pow(exponent))
}

/// Returns partition numbers as a text like `partition 3` or `partitions 0, 1`.
fn format_partitions(partitions: &[Partition]) -> String {
    let numbers: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    format!("{} {}", pluralize(partitions.len() as u64, "partition"), numbers.join(", "))
}
