//! The worker's part in checkpoints and savepoints: the worker starts snapshots, saves them in small steps and requests
//! their completion.
//!
//! Owns: when snapshots start, how fast they are saved, the wait until rows are acknowledged. Does not own: encoding
//! the shard's state (the shard), writing objects to the checkpoint store (the checkpoint thread).
//! Invariants: (1) A partition has at most one snapshot in progress, and a worker saves the bytes of at most one
//! snapshot at a time. (2) A worker saves about [`SnapshotLimits::save_bytes_per_poll`] bytes between two polls, also
//! while windows fire. It sends parts of [`SnapshotLimits::state_part_bytes`], whatever a slot holds. (3) The worker
//! requests the completion of a snapshot only after the row store has acknowledged all rows before the cut and has lost
//! none. (4) Before this request, the worker flushes all dead letters before the cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windrow_core::{BaseOrDelta, SnapshotStorageOutcome};

use super::active_snapshot::{ActiveSnapshot, SnapshotStage};
use super::owned_partition::CheckpointProgress;
use super::partition_phase::{DrainGoal, PartitionPhase, TrackedPartition};
use super::state::{Worker, WorkerOutcome};
use crate::checkpoint::{
    CheckpointCommand, CheckpointEvent, SnapshotLimits, SnapshotOutcome, SnapshotPurpose, SnapshotToComplete,
    StoreFaultExtent,
};
use crate::halt::ErrorChain;
use crate::{
    CheckpointRecord, CheckpointState, CommitWait, DeadLetterSink, FenceToken, Halt, LogPosition, Partition,
    PartitionOffsets, Sink, Source,
};

/// The delay before the worker repeats a failed savepoint of a partition.
const SAVEPOINT_RETRY_DELAY: Duration = Duration::from_secs(5);
/// The maximum time that a poll waits for records while neither a snapshot nor an opening is in progress.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// The maximum time that a poll waits for records while a snapshot waits for the row store or the checkpoint thread. Also
/// the shortest such time while an opening waits for its thread.
const POLL_TIMEOUT_DURING_SNAPSHOT: Duration = Duration::from_millis(5);
/// A poll waits at most for this share of the time that the newest step of an opening has taken. So it makes an opening
/// little longer, and an opening that hangs does not keep the worker busy.
const OPENING_POLL_DIVISOR: u32 = 20;

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Returns the maximum time for which the next poll waits for records. This time is short while a snapshot or an
    /// opening is in progress, so that a poll does not delay it.
    pub(super) fn choose_poll_timeout(&self) -> Duration {
        let mut snapshots = self.partitions.values().filter_map(TrackedPartition::active_snapshot).peekable();
        if snapshots.peek().is_none() {
            let step = self.newest_opening_step_duration();
            step.map_or(POLL_TIMEOUT, |step| {
                (step / OPENING_POLL_DIVISOR).clamp(POLL_TIMEOUT_DURING_SNAPSHOT, POLL_TIMEOUT)
            })
        } else if snapshots.any(|snapshot| snapshot.stage == SnapshotStage::Saving && self.has_room_for(snapshot)) {
            Duration::ZERO
        } else {
            POLL_TIMEOUT_DURING_SNAPSHOT
        }
    }

    pub(super) fn advance_snapshots(&mut self) -> Result<(), Halt> {
        if self.checkpoint_thread.is_none() {
            return Ok(());
        }
        self.refuse_incomplete_savepoint()?;
        self.save_snapshot_bytes(self.snapshot_limits().save_bytes_per_poll)?;
        self.begin_due_snapshot()?;
        self.request_snapshot_completions()
    }

    pub(super) fn snapshot_limits(&self) -> SnapshotLimits {
        self.checkpoint_config.as_ref().map_or_else(SnapshotLimits::default, |checkpoints| checkpoints.snapshot_limits)
    }

    /// Returns whether fewer saved bytes than [`SnapshotLimits::max_unwritten_bytes`] are not yet written, including
    /// the unsent bytes of `snapshot`.
    fn has_room_for(&self, snapshot: &ActiveSnapshot) -> bool {
        let unwritten = self.checkpoint_thread.as_ref().map_or(0, |thread| thread.unwritten_snapshot_byte_count());
        unwritten + snapshot.unsent_bytes.len() < self.snapshot_limits().max_unwritten_bytes
    }

    /// Starts the snapshot that has been due for the longest time, unless the worker is saving another snapshot.
    fn begin_due_snapshot(&mut self) -> Result<(), Halt> {
        if self.is_saving_snapshot() {
            return Ok(());
        }
        let now = self.clock.monotonic_now();
        let request = self
            .checkpoint_config
            .as_ref()
            .and_then(|checkpoints| checkpoints.current_savepoint_request.current_request());
        let due_snapshots = self.partitions.iter().filter_map(|(&partition, tracked)| {
            let PartitionPhase::Running(owned) = tracked.phase() else { return None };
            if owned.input_finished || owned.next_offset.is_none() {
                return None;
            }
            let schedule = &owned.snapshot_schedule;
            if let Some(request) = &request
                && schedule.last_completed_savepoint_id.as_deref() != Some(&*request.savepoint_id)
                && now >= schedule.savepoint_due_at
            {
                return Some((schedule.savepoint_due_at, partition, SnapshotPurpose::Savepoint(Arc::clone(request))));
            }
            (now >= schedule.checkpoint_due_at && owned.has_uncheckpointed_records()).then_some((
                schedule.checkpoint_due_at,
                partition,
                SnapshotPurpose::Checkpoint,
            ))
        });
        let longest_due = due_snapshots.min_by_key(|&(due_at, ..)| due_at);
        longest_due.map_or(Ok(()), |(_, partition, purpose)| self.begin_snapshot(partition, purpose))
    }

    fn is_saving_snapshot(&self) -> bool {
        self.partitions.values().any(|tracked| tracked.has_snapshot_in_stage(SnapshotStage::Saving))
    }

    fn begin_snapshot(&mut self, partition: Partition, snapshot_purpose: SnapshotPurpose) -> Result<(), Halt> {
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let Some(owned) = tracked.owned_partition_mut() else { return Ok(()) };
        let Some(offset) = owned.next_offset else { return Ok(()) };
        // The next flush verifies the rows even if there are no new rows, because no checkpoint may complete after the
        // row store has lost rows.
        self.sink.verify_rows_at_next_flush(owned.fence_token);
        // The snapshot may depend on decisions of the wall clock that no row has stored. A later owner that goes back behind this
        // snapshot must know them.
        owned.clock.hand_unsent_decisions_to(&mut self.sink, owned.fence_token);
        let ticket = self.sink.start_flush()?;
        let (base_or_delta, savepoint, place) = match &snapshot_purpose {
            SnapshotPurpose::Checkpoint => {
                let place =
                    self.checkpoint_config.as_ref().map_or("", |checkpoints| checkpoints.checkpoint_store.place());
                (owned.snapshot_schedule.next_base_or_delta, None, place)
            }
            SnapshotPurpose::Savepoint(request) => {
                (BaseOrDelta::Base, Some(request.savepoint_id.clone()), request.target_store.place())
            }
        };
        let taken_at_ms = self.clock.wall_now_ms();
        self.event_recorder.record_snapshot_started(CheckpointRecord {
            partition,
            epoch: owned.fence_token.epoch,
            checkpoint_number: None,
            savepoint_id: savepoint,
            state: CheckpointState::InProgress,
            started_at_ms: taken_at_ms,
            ended_at_ms: None,
            offset,
            store_place: place.to_owned(),
        });
        let started_at = self.clock.monotonic_now();
        owned.shard.begin_snapshot(base_or_delta);
        let snapshot = ActiveSnapshot {
            snapshot_purpose,
            base_or_delta,
            flush_ticket: ticket,
            cut_offset: offset,
            cut_leader_epoch: owned.leader_epoch,
            shard_metadata: owned.shard.snapshot_metadata(),
            event_time_limit: owned.clock.event_time_limit(),
            row_numbering_fingerprints: owned.row_numbering.row_numbering_fingerprints.clone(),
            rows_before_numbering: owned.row_numbering.rows_before_numbering.clone(),
            cut_at_ms: taken_at_ms,
            cut_at: started_at,
            unsent_bytes: Vec::new(),
            stage: SnapshotStage::Saving,
        };
        tracked.start_snapshot(snapshot, started_at)?;
        self.event_recorder.record_snapshot_pause(self.clock.monotonic_now().saturating_sub(started_at));
        Ok(())
    }

    /// Saves about `limit` bytes of the snapshot in stage [`SnapshotStage::Saving`], if any. Sends every full part to
    /// the checkpoint thread, and the last part when the whole snapshot is saved.
    pub(super) fn save_snapshot_bytes(&mut self, limit: usize) -> Result<(), Halt> {
        let part_bytes = self.snapshot_limits().state_part_bytes;
        let mut active = self.partitions.values().filter_map(TrackedPartition::active_snapshot);
        let saving = active.find(|snapshot| snapshot.stage == SnapshotStage::Saving);
        if !saving.is_some_and(|snapshot| self.has_room_for(snapshot)) {
            return Ok(());
        }
        let Some(thread) = &self.checkpoint_thread else { return Ok(()) };
        let saving = self.partitions.values_mut().find(|tracked| tracked.has_snapshot_in_stage(SnapshotStage::Saving));
        let Some((owned, snapshot)) = saving.and_then(TrackedPartition::owned_and_snapshot_mut) else { return Ok(()) };
        let started_at = self.clock.monotonic_now();
        let all = owned.shard.continue_snapshot(limit, &mut snapshot.unsent_bytes);
        self.event_recorder.record_snapshot_pause(self.clock.monotonic_now().saturating_sub(started_at));
        if all {
            snapshot.stage = SnapshotStage::WaitingForRows;
        }
        for bytes in snapshot.take_unsent_parts(part_bytes) {
            thread.send_command(CheckpointCommand::WriteStatePart {
                fence_token: owned.fence_token,
                snapshot_purpose: snapshot.snapshot_purpose.clone(),
                bytes,
            })?;
        }
        Ok(())
    }

    /// Asks the checkpoint thread to complete each snapshot that is ready. A snapshot is ready if all its bytes are
    /// saved and the row store has acknowledged all rows before the cut.
    pub(super) fn request_snapshot_completions(&mut self) -> Result<(), Halt> {
        // The worker must read the newest acknowledged ticket before it takes the lost partitions and the refused rows.
        // The sink then already knows all lost partitions and refused rows of that flush.
        let acknowledged = self.sink.newest_acknowledged_flush();
        self.handle_lost_partitions()?;
        let is_ready = |snapshot: &ActiveSnapshot| {
            snapshot.stage == SnapshotStage::WaitingForRows && snapshot.flush_ticket <= acknowledged
        };
        if !self.partitions.values().filter_map(TrackedPartition::active_snapshot).any(is_ready) {
            return Ok(());
        }
        self.write_refused_rows_as_dead_letters()?;
        self.dead_letter_sink.flush()?;
        let Some(thread) = &self.checkpoint_thread else { return Ok(()) };
        for (owned, snapshot) in self.partitions.values_mut().filter_map(TrackedPartition::owned_and_snapshot_mut) {
            if !is_ready(snapshot) {
                continue;
            }
            snapshot.stage = SnapshotStage::Completing;
            thread.send_command(CheckpointCommand::CompleteSnapshot(Box::new(SnapshotToComplete {
                fence_token: owned.fence_token,
                snapshot_purpose: snapshot.snapshot_purpose.clone(),
                base_or_delta: snapshot.base_or_delta,
                position: LogPosition { offset: snapshot.cut_offset, leader_epoch: snapshot.cut_leader_epoch },
                shard_metadata: snapshot.shard_metadata.clone(),
                event_time_limit: snapshot.event_time_limit,
                row_numbering_fingerprints: snapshot.row_numbering_fingerprints.clone(),
                rows_before_numbering: snapshot.rows_before_numbering.clone(),
                taken_at_ms: snapshot.cut_at_ms,
            })))?;
        }
        Ok(())
    }

    /// Responds to all [`CheckpointEvent`]s that the checkpoint thread has already sent.
    pub(super) fn handle_checkpoint_events(&mut self) -> Result<(), Halt> {
        while let Some(thread) = &self.checkpoint_thread {
            let Some(event) = thread.try_receive_thread_event()? else { break };
            self.handle_checkpoint_event(event)?;
        }
        Ok(())
    }

    /// Waits at most [`POLL_TIMEOUT_DURING_SNAPSHOT`] for a [`CheckpointEvent`], and responds to this event.
    fn wait_for_checkpoint_event(&mut self) -> Result<(), Halt> {
        let Some(thread) = &self.checkpoint_thread else { return Ok(()) };
        let event = thread.receive_thread_event_within(POLL_TIMEOUT_DURING_SNAPSHOT)?;
        event.map_or(Ok(()), |event| self.handle_checkpoint_event(event))
    }

    fn handle_checkpoint_event(&mut self, event: CheckpointEvent) -> Result<(), Halt> {
        match event {
            CheckpointEvent::EarlierCommandsExecuted { partition, barrier_number } => {
                if let Some(tracked) = self.partitions.get_mut(&partition) {
                    tracked.remove_opening_barrier(barrier_number);
                }
                Ok(())
            }
            CheckpointEvent::SnapshotEnded { fence_token, snapshot_purpose, number, outcome } => {
                self.handle_snapshot_ended(fence_token, &snapshot_purpose, number, outcome)
            }
        }
    }

    fn handle_snapshot_ended(
        &mut self,
        fence_token: FenceToken,
        snapshot_purpose: &SnapshotPurpose,
        number: u64,
        outcome: SnapshotOutcome,
    ) -> Result<(), Halt> {
        let (now, interval, partition) =
            (self.clock.monotonic_now(), self.checkpoint_interval(), fence_token.partition);
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let Some(owned) = tracked.owned_partition_mut().filter(|owned| owned.fence_token == fence_token) else {
            return Ok(()); // the worker has released or reopened the partition in the meantime
        };
        self.event_recorder.record_snapshot_ended(partition, number, checkpoint_state_from_outcome(&outcome));
        match (outcome, snapshot_purpose) {
            (
                SnapshotOutcome::Complete { size, next_base_or_delta, oldest_kept_offset, .. },
                SnapshotPurpose::Checkpoint,
            ) => {
                owned.shard.end_snapshot(SnapshotStorageOutcome::Stored);
                tracked.reset_park_delay();
                let Some(snapshot) = tracked.end_snapshot(now)? else { return Ok(()) };
                let Some(owned) = tracked.owned_partition_mut() else { return Ok(()) };
                owned.checkpoint_progress = CheckpointProgress {
                    checkpoint_offset: Some(snapshot.cut_offset),
                    cut_at: snapshot.cut_at,
                    cut_at_ms: Some(snapshot.cut_at_ms),
                    checkpoint_total_bytes: size.all_layers_byte_count,
                };
                owned.clock.forget_decisions_before(oldest_kept_offset);
                owned.snapshot_schedule.next_base_or_delta = next_base_or_delta;
                owned.snapshot_schedule.checkpoint_due_at = (snapshot.cut_at + interval).max(now);
                self.event_recorder.record_checkpoint_completed(size, now.saturating_sub(snapshot.cut_at));
                let offsets = PartitionOffsets::from([(partition, snapshot.cut_offset)]);
                self.source.commit_offsets(&offsets, CommitWait::Background)?;
            }
            (SnapshotOutcome::Complete { id, size, .. }, SnapshotPurpose::Savepoint(request)) => {
                owned.shard.end_snapshot(SnapshotStorageOutcome::Discarded);
                owned.snapshot_schedule.last_completed_savepoint_id = Some(request.savepoint_id.as_str().into());
                tracked.end_snapshot(now)?;
                self.event_recorder.record_savepoint_completed(partition, request, id, size.newest_layer_byte_count);
            }
            (SnapshotOutcome::Failed(failure), SnapshotPurpose::Checkpoint) => {
                owned.shard.end_snapshot(SnapshotStorageOutcome::Discarded);
                owned.snapshot_schedule.checkpoint_due_at = now + interval;
                tracked.end_snapshot(now)?;
                if let Some(drain) = tracked.partition_drain_mut() {
                    drain.final_checkpoint_failed = true;
                }
                self.event_recorder.record_checkpoint_failed(partition, &ErrorChain(&failure).to_string());
            }
            (SnapshotOutcome::Failed(failure), SnapshotPurpose::Savepoint(request)) => {
                owned.shard.end_snapshot(SnapshotStorageOutcome::Discarded);
                owned.snapshot_schedule.savepoint_due_at = now + SAVEPOINT_RETRY_DELAY;
                tracked.end_snapshot(now)?;
                self.event_recorder.record_savepoint_failed(partition, request, &ErrorChain(&failure).to_string());
            }
            (SnapshotOutcome::LogTruncated(shared), _) => {
                self.go_back_behind_truncation(BTreeMap::from([(partition, shared)]))?;
            }
            (SnapshotOutcome::Fenced(newer_epoch), _) => self.stop_fenced_partition(fence_token, newer_epoch)?,
            (SnapshotOutcome::Halted(halt), _) => self.park_or_halt(partition, halt, StoreFaultExtent::OnePartition)?,
        }
        Ok(())
    }

    /// Discards the snapshot of `partition` that is in progress, if any.
    pub(super) fn abandon_snapshot(&mut self, partition: Partition) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let Some(owned) = tracked.owned_partition_mut() else { return Ok(()) };
        owned.shard.end_snapshot(SnapshotStorageOutcome::Discarded);
        self.event_recorder.record_snapshot_abandoned(partition);
        if tracked.end_snapshot(now)?.is_some()
            && let Some(thread) = &self.checkpoint_thread
        {
            thread.send_command(CheckpointCommand::DiscardSnapshot(partition))?;
        }
        Ok(())
    }

    /// Takes a last checkpoint of each partition. The worker calls this function after the row store has acknowledged
    /// all rows. After a stop request, waits at most until `deadline`. Returns whether the newest records of every
    /// partition are in a checkpoint.
    pub(super) fn take_final_checkpoints(&mut self, outcome: WorkerOutcome, deadline: Duration) -> Result<bool, Halt> {
        if self.checkpoint_thread.is_none() {
            return Ok(true);
        }
        if outcome == WorkerOutcome::InputExhausted {
            self.end_active_snapshots(deadline)?;
        }
        let now = self.clock.monotonic_now();
        for tracked in self.partitions.values_mut().filter(|tracked| tracked.owned_partition().is_some()) {
            tracked.start_draining(DrainGoal::Release, now)?;
            if outcome == WorkerOutcome::InputExhausted
                && let Some(owned) = tracked.owned_partition_mut().filter(|owned| owned.input_finished)
            {
                owned.prepare_for_new_input();
            }
        }
        while !self.advance_final_checkpoints()? {
            if self.stop_signal.is_requested() && self.clock.monotonic_now() >= deadline {
                break;
            }
            self.save_snapshot_bytes(self.snapshot_limits().state_part_bytes)?;
            self.request_snapshot_completions()?;
            if !self.is_saving_snapshot() {
                self.wait_for_checkpoint_event()?;
            }
            self.handle_checkpoint_events()?;
        }
        let offsets = self.last_checkpoint_offsets();
        if !offsets.is_empty() {
            self.source.commit_offsets(&offsets, CommitWait::AwaitRebalance)?;
        }
        let lacks_checkpoint = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            let owned = tracked.owned_partition()?;
            (owned.has_uncheckpointed_records() && !owned.input_finished).then_some(partition)
        };
        let left: Vec<Partition> = self.partitions.iter().filter_map(lacks_checkpoint).collect();
        if !left.is_empty() {
            self.event_recorder.record_stop_without_checkpoint(&left);
        }
        Ok(left.is_empty())
    }

    /// Waits until the snapshots in stage [`SnapshotStage::Completing`] have ended, and discards all other snapshots.
    /// After a stop request, waits at most until `deadline`.
    fn end_active_snapshots(&mut self, deadline: Duration) -> Result<(), Halt> {
        let completing = |tracked: &TrackedPartition| tracked.has_snapshot_in_stage(SnapshotStage::Completing);
        let others = self.partitions.iter().filter(|(_, tracked)| !completing(tracked));
        for partition in others.map(|(&partition, _)| partition).collect::<Vec<_>>() {
            self.abandon_snapshot(partition)?;
        }
        while self.partitions.values().any(completing) {
            if self.stop_signal.is_requested() && self.clock.monotonic_now() >= deadline {
                break;
            }
            self.wait_for_checkpoint_event()?;
        }
        Ok(())
    }

    /// Starts the last snapshot of each draining partition whose newest records are not yet in a checkpoint. Returns
    /// whether the last snapshots of all partitions that are to be released have ended.
    pub(super) fn advance_final_checkpoints(&mut self) -> Result<bool, Halt> {
        let now = self.clock.monotonic_now();
        let mut all_complete = true;
        for partition in self.partitions.keys().copied().collect::<Vec<_>>() {
            let Some(tracked) = self.partitions.get(&partition) else { continue };
            let is_to_be_released = matches!(tracked.drain_goal(), Some(DrainGoal::Release));
            match next_drain_step(tracked, now) {
                DrainStep::Done => continue,
                DrainStep::Wait => {}
                DrainStep::AbandonSnapshot => self.abandon_snapshot(partition)?,
                DrainStep::BeginCheckpoint => self.begin_snapshot(partition, SnapshotPurpose::Checkpoint)?,
            }
            all_complete &= !is_to_be_released;
        }
        Ok(all_complete)
    }
}

/// The next step of a draining partition on the way to its last checkpoint.
#[derive(PartialEq, Eq)]
pub(super) enum DrainStep {
    BeginCheckpoint,
    /// The worker discards the current snapshot, because this snapshot belongs to a savepoint or lacks the newest
    /// records.
    AbandonSnapshot,
    Wait,
    Done,
}

/// Returns the next step of a partition at the monotonic time `now`; [`DrainStep::Done`] if it is not draining.
pub(super) fn next_drain_step(tracked: &TrackedPartition, now: Duration) -> DrainStep {
    let PartitionPhase::Draining(owned, drain) = tracked.phase() else { return DrainStep::Done };
    match &drain.snapshot {
        Some(snapshot)
            if snapshot.stage != SnapshotStage::Completing
                && (matches!(snapshot.snapshot_purpose, SnapshotPurpose::Savepoint(_))
                    || Some(snapshot.cut_offset) != owned.next_offset) =>
        {
            DrainStep::AbandonSnapshot
        }
        Some(_) => DrainStep::Wait,
        None if !owned.has_uncheckpointed_records() || owned.input_finished => DrainStep::Done,
        None if !drain.final_checkpoint_failed => DrainStep::BeginCheckpoint,
        None if !matches!(drain.goal, DrainGoal::Park(_)) => DrainStep::Done,
        None if now < owned.snapshot_schedule.checkpoint_due_at => DrainStep::Wait,
        None => DrainStep::BeginCheckpoint,
    }
}

/// Returns the state that the metrics show for a snapshot with this outcome.
fn checkpoint_state_from_outcome(outcome: &SnapshotOutcome) -> CheckpointState {
    match outcome {
        SnapshotOutcome::Complete { size, .. } => CheckpointState::Complete {
            added_bytes: size.newest_layer_byte_count,
            state_bytes: size.all_layers_byte_count,
        },
        SnapshotOutcome::Failed(failure) => CheckpointState::Failed(ErrorChain(failure).to_string()),
        SnapshotOutcome::Fenced(epoch) => {
            CheckpointState::Failed(format!("another worker has claimed the partition under epoch {epoch}"))
        }
        SnapshotOutcome::LogTruncated(shared) => CheckpointState::Failed(format!(
            "the source has lost the records from offset {} on, which the state includes",
            shared.end_offset
        )),
        SnapshotOutcome::Halted(halt) => CheckpointState::Failed(ErrorChain(halt).to_string()),
    }
}
