//! Checkpoints and savepoints from the worker's side: when one begins, a little of it between two polls, when it counts.
//!
//! Owns: due times, the pace of saving, the wait for rows. Does not own: the bytes (the shard), writing them (the keeper).
//! Invariants: (1) one snapshot of a partition is taken at a time, and one of a worker is saved at a time; (2) between two
//! polls no more than about [`SAVE_BYTES_PER_LOOP`] are saved; (3) it is completed only after the rows before its cut are
//! acknowledged, with none of them lost, and their dead letters are safe.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};
use windrow_core::SnapshotScope;

use super::owned::{ActiveSnapshot, SnapshotStage};
use super::{POLL_TIMEOUT, POLL_TIMEOUT_DURING_SNAPSHOT, Worker, WorkerOutcome};
use crate::checkpoint::{CheckpointCommand, CheckpointEvent, SnapshotCompletion, SnapshotOutcome, SnapshotPurpose};
use crate::metrics::now_ms;
use crate::{
    CheckpointRecord, CheckpointState, DeadLetterSink, FenceToken, Halt, Partition, PartitionOffsets, Sink, Source,
    TimelineMarkKind,
};

/// Bytes saved between two polls: about a millisecond's work.
const SAVE_BYTES_PER_LOOP: usize = 256 * 1024;
/// Bytes handed to the keeper at once; they become one state object.
const STATE_PART_BYTES: usize = 8 * 1024 * 1024;
/// Saving pauses while this much waits for the keeper.
const MAX_PENDING_BYTES: usize = 64 * 1024 * 1024;
/// After a savepoint of a partition failed, until the next attempt.
const SAVEPOINT_RETRY_DELAY: Duration = Duration::from_secs(5);

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// How long a poll may wait without holding a snapshot up.
    pub(super) fn poll_timeout(&self) -> Duration {
        let waiting = self.checkpoint_thread.as_ref().map_or(0, |keeper| keeper.unwritten_bytes());
        let mut takings = self.partitions.values().filter_map(|owned| owned.snapshot.as_ref()).peekable();
        if takings.peek().is_none() {
            POLL_TIMEOUT
        } else if waiting < MAX_PENDING_BYTES && takings.any(|taking| taking.stage == SnapshotStage::Saving) {
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

    /// Begins the snapshots that are due, one at a time.
    fn begin_due_snapshot(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        if self.partitions.values().any(|owned| owned.has_snapshot_in(SnapshotStage::Saving)) {
            return Ok(());
        }
        let request = self.checkpoints.as_ref().and_then(|checkpoints| checkpoints.savepoint_requests.current());
        let due = self.partitions.iter().find_map(|(&partition, owned)| {
            if owned.snapshot.is_some() || owned.frozen || owned.finished || owned.next_offset.is_none() {
                return None;
            }
            if let Some(request) = &request
                && owned.completed_savepoint.as_deref() != Some(&*request.id)
                && now >= owned.savepoint_due
            {
                return Some((partition, SnapshotPurpose::Savepoint(Arc::clone(request))));
            }
            (now >= owned.checkpoint_due && owned.has_uncheckpointed_records())
                .then_some((partition, SnapshotPurpose::Checkpoint))
        });
        due.map_or(Ok(()), |(partition, purpose)| self.begin_snapshot(partition, purpose))
    }

    pub(super) fn begin_snapshot(&mut self, partition: Partition, purpose: SnapshotPurpose) -> Result<(), Halt> {
        let Some(owned) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let Some(offset) = owned.next_offset else { return Ok(()) };
        // Also where no row has come for a while: what the store has forgotten must not lie before a checkpoint.
        self.sink.verify_written_rows(owned.fence_token);
        let ticket = self.sink.flush()?;
        let scope = match purpose {
            SnapshotPurpose::Checkpoint => owned.next_scope,
            SnapshotPurpose::Savepoint(_) => SnapshotScope::Everything,
        };
        let taken_at_ms = now_ms();
        let place = match (&purpose, &self.checkpoints) {
            (SnapshotPurpose::Savepoint(request), _) => request.store.place(),
            (SnapshotPurpose::Checkpoint, checkpoints) => {
                checkpoints.as_ref().map_or("", |checkpoints| checkpoints.store.place())
            }
        };
        self.metrics.checkpoints.record_started(CheckpointRecord {
            partition,
            epoch: owned.fence_token.epoch,
            number: None,
            savepoint: match &purpose {
                SnapshotPurpose::Checkpoint => None,
                SnapshotPurpose::Savepoint(request) => Some(request.id.clone()),
            },
            state: CheckpointState::InProgress,
            started_at_ms: taken_at_ms,
            ended_at_ms: None,
            offset,
            place: place.to_owned(),
        });
        let began = self.clock.now();
        owned.shard.begin_snapshot(scope);
        owned.snapshot = Some(ActiveSnapshot {
            purpose,
            scope,
            ticket,
            offset,
            shard_facts: owned.shard.metadata(),
            taken_at_ms,
            started_at: began,
            bytes: Vec::new(),
            stage: SnapshotStage::Saving,
        });
        self.metrics.checkpoints.record_pause(self.clock.now().saturating_sub(began));
        Ok(())
    }

    /// Saves up to `limit` bytes of the snapshot that is being saved.
    fn save_snapshot_bytes(&mut self, limit: usize) -> Result<(), Halt> {
        let Some(keeper) =
            self.checkpoint_thread.as_ref().filter(|keeper| keeper.unwritten_bytes() < MAX_PENDING_BYTES)
        else {
            return Ok(());
        };
        let Some(owned) = self.partitions.values_mut().find(|owned| owned.has_snapshot_in(SnapshotStage::Saving))
        else {
            return Ok(());
        };
        let Some(taking) = &mut owned.snapshot else { return Ok(()) };
        let began = self.clock.now();
        let all = owned.shard.continue_snapshot(limit);
        owned.shard.take_snapshot_bytes(&mut taking.bytes);
        self.metrics.checkpoints.record_pause(self.clock.now().saturating_sub(began));
        if all {
            taking.stage = SnapshotStage::WaitingForRows;
        }
        if taking.bytes.len() >= STATE_PART_BYTES || (all && !taking.bytes.is_empty()) {
            let bytes = std::mem::take(&mut taking.bytes);
            keeper.send_command(CheckpointCommand::WriteStatePart {
                fence_token: owned.fence_token,
                purpose: taking.purpose.clone(),
                bytes,
            })?;
        }
        Ok(())
    }

    /// Hands over the snapshots whose rows are all in the store.
    fn complete_acknowledged_snapshots(&mut self) -> Result<(), Halt> {
        // Looked at first: losses and refusals before an acknowledged ticket are known once it is acknowledged.
        let acknowledged = self.sink.acknowledged_ticket();
        self.handle_lost_partitions()?;
        let ready =
            |taking: &ActiveSnapshot| taking.stage == SnapshotStage::WaitingForRows && taking.ticket <= acknowledged;
        if !self.partitions.values().any(|owned| owned.snapshot.as_ref().is_some_and(ready)) {
            return Ok(());
        }
        self.write_refused_rows()?;
        self.dead_letters.flush()?;
        let Some(keeper) = &self.checkpoint_thread else { return Ok(()) };
        for owned in self.partitions.values_mut() {
            let Some(taking) = owned.snapshot.as_mut().filter(|taking| ready(taking)) else { continue };
            taking.stage = SnapshotStage::Completing;
            keeper.send_command(CheckpointCommand::CompleteSnapshot(Box::new(SnapshotCompletion {
                fence_token: owned.fence_token,
                purpose: taking.purpose.clone(),
                scope: taking.scope,
                offset: taking.offset,
                facts: taking.shard_facts.clone(),
                beginnings: owned.beginnings.clone(),
                taken_at_ms: taking.taken_at_ms,
            })))?;
        }
        Ok(())
    }

    /// Takes note of what the keeper has done.
    pub(super) fn handle_checkpoint_events(&mut self) -> Result<(), Halt> {
        while let Some(keeper) = &self.checkpoint_thread {
            let Some(report) = keeper.try_next_event()? else { break };
            self.handle_checkpoint_event(report)?;
        }
        Ok(())
    }

    /// Waits a moment for what the keeper does.
    fn wait_for_checkpoint_event(&mut self) -> Result<(), Halt> {
        let Some(keeper) = &self.checkpoint_thread else { return Ok(()) };
        keeper
            .wait_for_event(POLL_TIMEOUT_DURING_SNAPSHOT)?
            .map_or(Ok(()), |report| self.handle_checkpoint_event(report))
    }

    fn handle_checkpoint_event(&mut self, report: CheckpointEvent) -> Result<(), Halt> {
        match report {
            CheckpointEvent::PartitionRestored(partition, found) => self.handle_partition_restored(partition, found),
            CheckpointEvent::FenceClaimed(partition, opened) => self.handle_partition_claimed(partition, opened),
            CheckpointEvent::SnapshotEnded { fence_token: origin, purpose, number, outcome } => {
                self.handle_snapshot_ended(origin, &purpose, number, outcome)
            }
        }
    }

    fn handle_snapshot_ended(
        &mut self,
        origin: FenceToken,
        purpose: &SnapshotPurpose,
        number: u64,
        outcome: SnapshotOutcome,
    ) -> Result<(), Halt> {
        let now = self.clock.now();
        let every = self.checkpoints.as_ref().map_or(Duration::MAX, |checkpoints| checkpoints.interval);
        let Some(owned) = self.partitions.get_mut(&origin.partition).filter(|owned| owned.fence_token == origin) else {
            return Ok(()); // given up meanwhile
        };
        let partition = origin.partition;
        let state = match &outcome {
            SnapshotOutcome::Complete { bytes: (added_bytes, state_bytes), .. } => {
                CheckpointState::Complete { added_bytes: *added_bytes, state_bytes: *state_bytes }
            }
            SnapshotOutcome::Failed(reason) => CheckpointState::Failed(reason.clone()),
            SnapshotOutcome::Fenced(epoch) => {
                CheckpointState::Failed(format!("another worker owns the partition, in epoch {epoch}"))
            }
            SnapshotOutcome::Halted(halt) => CheckpointState::Failed(halt.to_string()),
        };
        self.metrics.checkpoints.record_ended(partition, |event| {
            event.number = Some(number);
            event.state = state;
            event.ended_at_ms = Some(now_ms());
        });
        match (outcome, purpose) {
            (SnapshotOutcome::Complete { bytes, next_scope: next, .. }, SnapshotPurpose::Checkpoint) => {
                owned.shard.end_snapshot(true);
                let Some(taking) = owned.snapshot.take() else { return Ok(()) };
                owned.checkpoint_offset = Some(taking.offset);
                owned.checkpoint_time = taking.started_at;
                owned.checkpoint_at_ms = Some(taking.taken_at_ms);
                owned.checkpoint_bytes = bytes.1;
                owned.next_scope = next;
                owned.checkpoint_due = (taking.started_at + every).max(now);
                self.metrics.checkpoints.record_completed(bytes, now.saturating_sub(taking.started_at));
                self.source.commit_offsets(&PartitionOffsets::from([(partition, taking.offset)]), false)?;
            }
            (SnapshotOutcome::Complete { id, bytes, .. }, SnapshotPurpose::Savepoint(request)) => {
                owned.shard.end_snapshot(false);
                owned.snapshot = None;
                owned.completed_savepoint = Some(request.id.as_str().into());
                info!(partition, checkpoint = %id, bytes = bytes.0, savepoint = request.id, "saved");
                let text = format!("{} in {}", request.id, request.store.place());
                self.metrics.recent_events.add_mark(TimelineMarkKind::Savepoint, text);
            }
            (SnapshotOutcome::Failed(reason), SnapshotPurpose::Checkpoint) => {
                owned.shard.end_snapshot(false);
                owned.snapshot = None;
                owned.final_checkpoint_failed = owned.frozen;
                owned.checkpoint_due = now + every;
                self.metrics.checkpoints.failed.add(1);
                self.metrics
                    .recent_events
                    .add_mark(TimelineMarkKind::CheckpointFailed, format!("partition {partition}: {reason}"));
                error!(partition, reason, "a checkpoint failed; events are worked on, and the next one tries again");
            }
            (SnapshotOutcome::Failed(reason), SnapshotPurpose::Savepoint(request)) => {
                owned.shard.end_snapshot(false);
                owned.snapshot = None;
                owned.savepoint_due = now + SAVEPOINT_RETRY_DELAY;
                error!(partition, savepoint = request.id, reason, "a savepoint failed; it is tried again in a moment");
            }
            (SnapshotOutcome::Fenced(epoch), _) => self.drop_fenced_partition(origin, epoch),
            (SnapshotOutcome::Halted(halt), _) => return Err(halt),
        }
        Ok(())
    }

    /// Gives up the snapshot that is being taken of `partition`.
    pub(super) fn abandon_snapshot(&mut self, partition: Partition) -> Result<(), Halt> {
        let Some(owned) = self.partitions.get_mut(&partition) else { return Ok(()) };
        owned.shard.end_snapshot(false);
        self.metrics.checkpoints.record_abandoned(partition);
        if owned.snapshot.take().is_some()
            && let Some(keeper) = &self.checkpoint_thread
        {
            keeper.send_command(CheckpointCommand::DiscardSnapshot(partition))?;
        }
        Ok(())
    }

    /// Last checkpoints of everything, whose rows are in the store; whether all are complete. Until `until` where
    /// everybody was asked to stop.
    pub(super) fn take_final_checkpoints(&mut self, ended: WorkerOutcome, until: Duration) -> Result<bool, Halt> {
        if self.checkpoint_thread.is_none() {
            return Ok(true);
        }
        if ended == WorkerOutcome::InputExhausted {
            self.finish_active_snapshots(until)?;
        }
        for owned in self.partitions.values_mut() {
            owned.frozen = true;
            if ended == WorkerOutcome::InputExhausted && owned.finished {
                // All windows have fired: what comes later is the beginning of new input. Layers before this one hold state
                // that only the watermark says is gone, and it begins anew.
                owned.shard.restart_input();
                owned.restart_row_counting("a new beginning");
                owned.finished = false;
                owned.checkpoint_offset = None;
                owned.next_scope = SnapshotScope::Everything;
            }
        }
        while !self.advance_final_checkpoints()? {
            if self.stop_signal.is_requested() && self.clock.now() >= until {
                break;
            }
            self.save_snapshot_bytes(STATE_PART_BYTES)?;
            self.complete_acknowledged_snapshots()?;
            if !self.partitions.values().any(|owned| owned.has_snapshot_in(SnapshotStage::Saving)) {
                self.wait_for_checkpoint_event()?;
            }
            self.handle_checkpoint_events()?;
        }
        let positions: PartitionOffsets = self
            .partitions
            .iter()
            .filter_map(|(&partition, owned)| Some((partition, owned.checkpoint_offset?)))
            .collect();
        if !positions.is_empty() {
            self.source.commit_offsets(&positions, true)?;
        }
        let left: Vec<_> = self
            .partitions
            .iter()
            .filter(|(_, owned)| owned.has_uncheckpointed_records() && !owned.finished)
            .map(|(&partition, _)| partition)
            .collect();
        if !left.is_empty() {
            warn!(partitions = ?left, "ended without a last checkpoint: what follows the one before is read again");
        }
        Ok(left.is_empty())
    }

    /// Gives up the snapshots under way, and waits for those that are being completed.
    fn finish_active_snapshots(&mut self, until: Duration) -> Result<(), Halt> {
        let saving = self.partitions.iter().filter(|(_, owned)| !owned.has_snapshot_in(SnapshotStage::Completing));
        for partition in saving.map(|(&partition, _)| partition).collect::<Vec<_>>() {
            self.abandon_snapshot(partition)?;
        }
        while self.partitions.values().any(|owned| owned.has_snapshot_in(SnapshotStage::Completing)) {
            if self.stop_signal.is_requested() && self.clock.now() >= until {
                break;
            }
            self.wait_for_checkpoint_event()?;
        }
        Ok(())
    }

    /// Begins the last snapshot of every frozen partition that needs one; whether none does any more.
    pub(super) fn advance_final_checkpoints(&mut self) -> Result<bool, Halt> {
        let mut all = true;
        let frozen: Vec<Partition> =
            self.partitions.iter().filter(|(_, owned)| owned.frozen).map(|(&partition, _)| partition).collect();
        for partition in frozen {
            let Some(owned) = self.partitions.get(&partition) else { continue };
            match &owned.snapshot {
                // An older cut, or a copy for somebody else: there is no time for it any more.
                Some(taking)
                    if taking.stage != SnapshotStage::Completing
                        && (matches!(taking.purpose, SnapshotPurpose::Savepoint(_))
                            || Some(taking.offset) != owned.next_offset) =>
                {
                    self.abandon_snapshot(partition)?;
                    all = false;
                }
                Some(_) => all = false,
                None if owned.has_uncheckpointed_records() && !owned.finished && !owned.final_checkpoint_failed => {
                    self.begin_snapshot(partition, SnapshotPurpose::Checkpoint)?;
                    all = false;
                }
                None => {}
            }
        }
        Ok(all)
    }
}
