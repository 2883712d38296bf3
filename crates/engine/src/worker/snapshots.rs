//! Checkpoints and savepoints from the worker's side: when a snapshot begins, how fast it is saved, when it may count.
//!
//! Owns: due times, the pace of saving, the wait for rows. Does not own: the bytes (the shard), writing them (the checkpoint
//! thread).
//! Invariants: (1) one snapshot of a partition is taken at a time, and one of a worker is saved at a time; (2) between two
//! polls no more than about [`SAVE_BYTES_PER_LOOP`] are saved; (3) a snapshot is completed only after the rows before its cut
//! are acknowledged, with none of them lost, and their dead letters are safe.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{SnapshotResult, SnapshotScope};

use super::active_snapshot::{ActiveSnapshot, SnapshotStage};
use super::owned_partition::LastTakenCheckpoint;
use super::partition_phase::{PartitionPhase, TrackedPartition};
use super::state::{Worker, WorkerOutcome};
use crate::checkpoint::{CheckpointCommand, CheckpointEvent, SnapshotCompletion, SnapshotOutcome, SnapshotPurpose};
use crate::halt::ErrorChain;
use crate::{
    CheckpointRecord, CheckpointState, CommitWait, DeadLetterSink, FenceToken, Halt, Partition, PartitionOffsets, Sink,
    Source,
};

/// Bytes saved between two polls: about a millisecond's work.
const SAVE_BYTES_PER_LOOP: usize = 256 * 1024;
/// Bytes handed to the checkpoint thread at once; they become one state object.
const STATE_PART_BYTES: usize = 8 * 1024 * 1024;
/// Saving pauses while the checkpoint thread has this much to write.
const MAX_PENDING_BYTES: usize = 64 * 1024 * 1024;
/// After a savepoint of a partition failed, until the next attempt.
const SAVEPOINT_RETRY_DELAY: Duration = Duration::from_secs(5);
/// How long one poll waits for records.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// How long one poll waits for records while a snapshot waits for something.
const POLL_TIMEOUT_DURING_SNAPSHOT: Duration = Duration::from_millis(5);

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Returns how long a poll may wait without holding a snapshot up.
    pub(super) fn poll_timeout(&self) -> Duration {
        let pending = self.checkpoint_thread.as_ref().map_or(0, |thread| thread.unwritten_bytes());
        let mut snapshots = self.partitions.values().filter_map(TrackedPartition::snapshot).peekable();
        if snapshots.peek().is_none() {
            POLL_TIMEOUT
        } else if pending < MAX_PENDING_BYTES && snapshots.any(|snapshot| snapshot.stage == SnapshotStage::Saving) {
            Duration::ZERO
        } else {
            POLL_TIMEOUT_DURING_SNAPSHOT
        }
    }

    pub(super) fn advance_snapshots(&mut self) -> Result<(), Halt> {
        if self.checkpoint_thread.is_none() {
            return Ok(());
        }
        self.save_snapshot_bytes(SAVE_BYTES_PER_LOOP)?;
        self.begin_due_snapshot()?;
        self.complete_acknowledged_snapshots()
    }

    /// Begins the next snapshot that is due, unless one is being saved.
    fn begin_due_snapshot(&mut self) -> Result<(), Halt> {
        if self.is_saving() {
            return Ok(());
        }
        let now = self.clock.now();
        let request = self.checkpoints.as_ref().and_then(|checkpoints| checkpoints.savepoint_requests.current());
        let due = self.partitions.iter().find_map(|(&partition, tracked)| {
            let PartitionPhase::Running(owned) = tracked.phase() else { return None };
            if owned.input_finished || owned.next_offset.is_none() {
                return None;
            }
            let schedule = &owned.snapshot_schedule;
            if let Some(request) = &request
                && schedule.completed_savepoint.as_deref() != Some(&*request.id)
                && now >= schedule.savepoint_due
            {
                return Some((partition, SnapshotPurpose::Savepoint(Arc::clone(request))));
            }
            (now >= schedule.checkpoint_due && owned.has_uncheckpointed_records())
                .then_some((partition, SnapshotPurpose::Checkpoint))
        });
        due.map_or(Ok(()), |(partition, purpose)| self.begin_snapshot(partition, purpose))
    }

    fn is_saving(&self) -> bool {
        self.partitions.values().any(|tracked| tracked.has_snapshot_in(SnapshotStage::Saving))
    }

    fn begin_snapshot(&mut self, partition: Partition, purpose: SnapshotPurpose) -> Result<(), Halt> {
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let Some(owned) = tracked.owned_mut() else { return Ok(()) };
        let Some(offset) = owned.next_offset else { return Ok(()) };
        // Also where no row has come for a while: rows that the store has lost must not lie before a checkpoint.
        self.sink.verify_written_rows(owned.fence_token);
        let ticket = self.sink.flush()?;
        let (scope, savepoint, place) = match &purpose {
            SnapshotPurpose::Checkpoint => {
                let place = self.checkpoints.as_ref().map_or("", |checkpoints| checkpoints.store.place());
                (owned.snapshot_schedule.next_scope, None, place)
            }
            SnapshotPurpose::Savepoint(request) => {
                (SnapshotScope::Everything, Some(request.id.clone()), request.store.place())
            }
        };
        let taken_at_ms = self.clock.wall_now_ms();
        self.events.snapshot_started(CheckpointRecord {
            partition,
            epoch: owned.fence_token.epoch,
            number: None,
            savepoint,
            state: CheckpointState::InProgress,
            started_at_ms: taken_at_ms,
            ended_at_ms: None,
            offset,
            place: place.to_owned(),
        });
        let started_at = self.clock.now();
        owned.shard.begin_snapshot(scope);
        let snapshot = ActiveSnapshot {
            purpose,
            scope,
            ticket,
            offset,
            shard_metadata: owned.shard.metadata(),
            taken_at_ms,
            started_at,
            bytes: Vec::new(),
            stage: SnapshotStage::Saving,
        };
        tracked.start_snapshot(snapshot, started_at)?;
        self.events.snapshot_paused_worker(self.clock.now().saturating_sub(started_at));
        Ok(())
    }

    /// Saves up to `limit` bytes of the snapshot that is being saved.
    pub(super) fn save_snapshot_bytes(&mut self, limit: usize) -> Result<(), Halt> {
        let Some(thread) =
            self.checkpoint_thread.as_ref().filter(|thread| thread.unwritten_bytes() < MAX_PENDING_BYTES)
        else {
            return Ok(());
        };
        let saving = self.partitions.values_mut().find(|tracked| tracked.has_snapshot_in(SnapshotStage::Saving));
        let Some((owned, snapshot)) = saving.and_then(TrackedPartition::owned_and_snapshot_mut) else { return Ok(()) };
        let started_at = self.clock.now();
        let all = owned.shard.continue_snapshot(limit);
        owned.shard.take_snapshot_bytes(&mut snapshot.bytes);
        self.events.snapshot_paused_worker(self.clock.now().saturating_sub(started_at));
        if all {
            snapshot.stage = SnapshotStage::WaitingForRows;
        }
        if snapshot.bytes.len() >= STATE_PART_BYTES || (all && !snapshot.bytes.is_empty()) {
            thread.send_command(CheckpointCommand::WriteStatePart {
                fence_token: owned.fence_token,
                purpose: snapshot.purpose.clone(),
                bytes: std::mem::take(&mut snapshot.bytes),
            })?;
        }
        Ok(())
    }

    /// Hands over the snapshots whose rows are all in the store.
    pub(super) fn complete_acknowledged_snapshots(&mut self) -> Result<(), Halt> {
        // Read first: losses and refusals before an acknowledged ticket are known once it is acknowledged.
        let acknowledged = self.sink.acknowledged_ticket();
        self.handle_lost_partitions()?;
        let is_ready = |snapshot: &ActiveSnapshot| {
            snapshot.stage == SnapshotStage::WaitingForRows && snapshot.ticket <= acknowledged
        };
        if !self.partitions.values().filter_map(TrackedPartition::snapshot).any(is_ready) {
            return Ok(());
        }
        self.write_refused_rows()?;
        self.dead_letters.flush()?;
        let Some(thread) = &self.checkpoint_thread else { return Ok(()) };
        for (owned, snapshot) in self.partitions.values_mut().filter_map(TrackedPartition::owned_and_snapshot_mut) {
            if !is_ready(snapshot) {
                continue;
            }
            snapshot.stage = SnapshotStage::Completing;
            thread.send_command(CheckpointCommand::CompleteSnapshot(Box::new(SnapshotCompletion {
                fence_token: owned.fence_token,
                purpose: snapshot.purpose.clone(),
                scope: snapshot.scope,
                offset: snapshot.offset,
                facts: snapshot.shard_metadata.clone(),
                beginnings: owned.row_numbering.beginnings.clone(),
                taken_at_ms: snapshot.taken_at_ms,
            })))?;
        }
        Ok(())
    }

    /// Handles what the checkpoint thread has done.
    pub(super) fn handle_checkpoint_events(&mut self) -> Result<(), Halt> {
        while let Some(thread) = &self.checkpoint_thread {
            let Some(event) = thread.try_next_event()? else { break };
            self.handle_checkpoint_event(event)?;
        }
        Ok(())
    }

    /// Waits a moment for what the checkpoint thread does.
    fn wait_for_checkpoint_event(&mut self) -> Result<(), Halt> {
        let Some(thread) = &self.checkpoint_thread else { return Ok(()) };
        let event = thread.wait_for_event(POLL_TIMEOUT_DURING_SNAPSHOT)?;
        event.map_or(Ok(()), |event| self.handle_checkpoint_event(event))
    }

    fn handle_checkpoint_event(&mut self, event: CheckpointEvent) -> Result<(), Halt> {
        match event {
            CheckpointEvent::PartitionRestored(partition, restored) => {
                self.handle_partition_restored(partition, restored)
            }
            CheckpointEvent::FenceClaimed(partition, claimed) => self.handle_fence_claimed(partition, claimed),
            CheckpointEvent::SnapshotEnded { fence_token, purpose, number, outcome } => {
                self.handle_snapshot_ended(fence_token, &purpose, number, outcome)
            }
        }
    }

    fn handle_snapshot_ended(
        &mut self,
        fence_token: FenceToken,
        purpose: &SnapshotPurpose,
        number: u64,
        outcome: SnapshotOutcome,
    ) -> Result<(), Halt> {
        let (now, interval, partition) = (self.clock.now(), self.checkpoint_interval(), fence_token.partition);
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let Some(owned) = tracked.owned_mut().filter(|owned| owned.fence_token == fence_token) else {
            return Ok(()); // given up meanwhile
        };
        self.events.snapshot_ended(partition, number, describe_outcome(&outcome));
        match (outcome, purpose) {
            (SnapshotOutcome::Complete { size, next_scope, .. }, SnapshotPurpose::Checkpoint) => {
                owned.shard.end_snapshot(SnapshotResult::Kept);
                let Some(snapshot) = tracked.end_snapshot(now)? else { return Ok(()) };
                let Some(owned) = tracked.owned_mut() else { return Ok(()) };
                owned.last_checkpoint = LastTakenCheckpoint {
                    offset: Some(snapshot.offset),
                    cut_at: snapshot.started_at,
                    cut_at_ms: Some(snapshot.taken_at_ms),
                    state_bytes: size.state_bytes,
                };
                owned.snapshot_schedule.next_scope = next_scope;
                owned.snapshot_schedule.checkpoint_due = (snapshot.started_at + interval).max(now);
                self.events.checkpoint_completed(size, now.saturating_sub(snapshot.started_at));
                let offsets = PartitionOffsets::from([(partition, snapshot.offset)]);
                self.source.commit_offsets(&offsets, CommitWait::Background)?;
            }
            (SnapshotOutcome::Complete { id, size, .. }, SnapshotPurpose::Savepoint(request)) => {
                owned.shard.end_snapshot(SnapshotResult::Discarded);
                owned.snapshot_schedule.completed_savepoint = Some(request.id.as_str().into());
                tracked.end_snapshot(now)?;
                self.events.savepoint_completed(partition, request, id, size.added_bytes);
            }
            (SnapshotOutcome::Failed(failure), SnapshotPurpose::Checkpoint) => {
                owned.shard.end_snapshot(SnapshotResult::Discarded);
                owned.snapshot_schedule.checkpoint_due = now + interval;
                tracked.end_snapshot(now)?;
                if let Some(drain) = tracked.drain_mut() {
                    drain.final_checkpoint_failed = true;
                }
                self.events.checkpoint_failed(partition, &ErrorChain(&failure).to_string());
            }
            (SnapshotOutcome::Failed(failure), SnapshotPurpose::Savepoint(request)) => {
                owned.shard.end_snapshot(SnapshotResult::Discarded);
                owned.snapshot_schedule.savepoint_due = now + SAVEPOINT_RETRY_DELAY;
                tracked.end_snapshot(now)?;
                self.events.savepoint_failed(partition, request, &ErrorChain(&failure).to_string());
            }
            (SnapshotOutcome::Fenced(newer_epoch), _) => self.fence_owned_partition(fence_token, newer_epoch)?,
            (SnapshotOutcome::Halted(halt), _) => return Err(halt),
        }
        Ok(())
    }

    /// Gives up the snapshot that is being taken of `partition`, if there is one.
    pub(super) fn abandon_snapshot(&mut self, partition: Partition) -> Result<(), Halt> {
        let now = self.clock.now();
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let Some(owned) = tracked.owned_mut() else { return Ok(()) };
        owned.shard.end_snapshot(SnapshotResult::Discarded);
        self.events.snapshot_abandoned(partition);
        if tracked.end_snapshot(now)?.is_some()
            && let Some(thread) = &self.checkpoint_thread
        {
            thread.send_command(CheckpointCommand::DiscardSnapshot(partition))?;
        }
        Ok(())
    }

    /// Takes the last checkpoints of all partitions, whose rows are in the store; returns whether all are complete. After a
    /// stop was requested, waits for them until `deadline`.
    pub(super) fn take_final_checkpoints(&mut self, outcome: WorkerOutcome, deadline: Duration) -> Result<bool, Halt> {
        if self.checkpoint_thread.is_none() {
            return Ok(true);
        }
        if outcome == WorkerOutcome::InputExhausted {
            self.finish_active_snapshots(deadline)?;
        }
        let now = self.clock.now();
        for tracked in self.partitions.values_mut().filter(|tracked| tracked.owned().is_some()) {
            tracked.start_draining(now)?;
            if outcome == WorkerOutcome::InputExhausted
                && let Some(owned) = tracked.owned_mut().filter(|owned| owned.input_finished)
            {
                owned.restart_input();
            }
        }
        while !self.advance_final_checkpoints()? {
            if self.stop_signal.is_requested() && self.clock.now() >= deadline {
                break;
            }
            self.save_snapshot_bytes(STATE_PART_BYTES)?;
            self.complete_acknowledged_snapshots()?;
            if !self.is_saving() {
                self.wait_for_checkpoint_event()?;
            }
            self.handle_checkpoint_events()?;
        }
        let offsets = self.checkpoint_offsets();
        if !offsets.is_empty() {
            self.source.commit_offsets(&offsets, CommitWait::AwaitAnswer)?;
        }
        let lacks_checkpoint = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            let owned = tracked.owned()?;
            (owned.has_uncheckpointed_records() && !owned.input_finished).then_some(partition)
        };
        let left: Vec<Partition> = self.partitions.iter().filter_map(lacks_checkpoint).collect();
        if !left.is_empty() {
            self.events.stopped_without_checkpoint(&left);
        }
        Ok(left.is_empty())
    }

    /// Gives up the snapshots that are being taken, and waits for those that are being completed.
    fn finish_active_snapshots(&mut self, deadline: Duration) -> Result<(), Halt> {
        let completing = |tracked: &TrackedPartition| tracked.has_snapshot_in(SnapshotStage::Completing);
        let others = self.partitions.iter().filter(|(_, tracked)| !completing(tracked));
        for partition in others.map(|(&partition, _)| partition).collect::<Vec<_>>() {
            self.abandon_snapshot(partition)?;
        }
        while self.partitions.values().any(completing) {
            if self.stop_signal.is_requested() && self.clock.now() >= deadline {
                break;
            }
            self.wait_for_checkpoint_event()?;
        }
        Ok(())
    }

    /// Begins the last snapshot of every draining partition that needs one; returns whether none does any more.
    pub(super) fn advance_final_checkpoints(&mut self) -> Result<bool, Halt> {
        let mut all_complete = true;
        for partition in self.partitions.keys().copied().collect::<Vec<_>>() {
            let next = self.partitions.get(&partition).map_or(DrainStep::Done, next_drain_step);
            match next {
                DrainStep::Done => continue,
                DrainStep::Wait => {}
                DrainStep::AbandonSnapshot => self.abandon_snapshot(partition)?,
                DrainStep::BeginCheckpoint => self.begin_snapshot(partition, SnapshotPurpose::Checkpoint)?,
            }
            all_complete = false;
        }
        Ok(all_complete)
    }
}

/// What a partition needs next, to be given up with a last checkpoint.
enum DrainStep {
    BeginCheckpoint,
    /// The snapshot that is being taken is older than the last record, or a savepoint's; there is no time for it any more.
    AbandonSnapshot,
    Wait,
    Done,
}

fn next_drain_step(tracked: &TrackedPartition) -> DrainStep {
    let PartitionPhase::Draining(owned, drain) = tracked.phase() else { return DrainStep::Done };
    match &drain.snapshot {
        Some(snapshot)
            if snapshot.stage != SnapshotStage::Completing
                && (matches!(snapshot.purpose, SnapshotPurpose::Savepoint(_))
                    || Some(snapshot.offset) != owned.next_offset) =>
        {
            DrainStep::AbandonSnapshot
        }
        Some(_) => DrainStep::Wait,
        None if owned.has_uncheckpointed_records() && !owned.input_finished && !drain.final_checkpoint_failed => {
            DrainStep::BeginCheckpoint
        }
        None => DrainStep::Done,
    }
}

/// How `outcome` is recorded.
fn describe_outcome(outcome: &SnapshotOutcome) -> CheckpointState {
    match outcome {
        SnapshotOutcome::Complete { size, .. } => {
            CheckpointState::Complete { added_bytes: size.added_bytes, state_bytes: size.state_bytes }
        }
        SnapshotOutcome::Failed(failure) => CheckpointState::Failed(ErrorChain(failure).to_string()),
        SnapshotOutcome::Fenced(epoch) => {
            CheckpointState::Failed(format!("another worker owns the partition, in epoch {epoch}"))
        }
        SnapshotOutcome::Halted(halt) => CheckpointState::Failed(ErrorChain(halt).to_string()),
    }
}
