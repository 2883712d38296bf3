//! Checkpoints and savepoints from the worker's side: when one begins, a little of it between two polls, when it counts.
//!
//! Owns: due times, the pace of saving, the wait for rows. Does not own: the bytes (the shard), writing them (the keeper).
//! Invariants: (1) one snapshot of a partition is taken at a time, and one of a worker is saved at a time; (2) between two
//! polls no more than about [`SAVE_BYTES`] are saved; (3) it is completed only after the rows before its cut are
//! acknowledged, with none of them lost, and their dead letters are safe.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};
use windrow_core::Scope;

use super::owned::{Stage, Taking};
use super::{Ended, POLL_WAIT, POLL_WAIT_SNAPSHOT, Worker};
use crate::checkpoint::{Completion, Outcome, Purpose, Report, Task};
use crate::metrics::now_ms;
use crate::{
    CheckpointEvent, CheckpointState, Clock, DeadLetters, Halt, MarkKind, Origin, Partition, Positions, Sink, Source,
};

/// Bytes saved between two polls: about a millisecond's work.
const SAVE_BYTES: usize = 256 * 1024;
/// Bytes handed to the keeper at once; they become one state object.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Saving pauses while this much waits for the keeper.
const WAITING_MAX: usize = 64 * 1024 * 1024;
/// After a savepoint of a partition failed, until the next attempt.
const SAVEPOINT_PAUSE: Duration = Duration::from_secs(5);

impl<S: Source, K: Sink, D: DeadLetters, C: Clock> Worker<S, K, D, C> {
    /// How long a poll may wait without holding a snapshot up.
    pub(super) fn poll_wait(&self) -> Duration {
        let waiting = self.keeper.as_ref().map_or(0, |keeper| keeper.waiting_bytes());
        let mut takings = self.shards.values().filter_map(|owned| owned.taking.as_ref()).peekable();
        if takings.peek().is_none() {
            POLL_WAIT
        } else if waiting < WAITING_MAX && takings.any(|taking| taking.stage == Stage::Saving) {
            Duration::ZERO
        } else {
            POLL_WAIT_SNAPSHOT
        }
    }

    pub(super) fn go_on_with_snapshots(&mut self) -> Result<(), Halt> {
        if self.keeper.is_none() {
            return Ok(());
        }
        self.save_some(SAVE_BYTES)?;
        self.begin_what_is_due()?;
        self.complete_what_is_acknowledged()
    }

    /// Begins the snapshots that are due, one at a time.
    fn begin_what_is_due(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        if self.shards.values().any(|owned| owned.is(Stage::Saving)) {
            return Ok(());
        }
        let request = self.checkpoints.as_ref().and_then(|checkpoints| checkpoints.requests.current());
        let due = self.shards.iter().find_map(|(&partition, owned)| {
            if owned.taking.is_some() || owned.frozen || owned.finished || owned.position.is_none() {
                return None;
            }
            if let Some(request) = &request
                && owned.savepoint.as_deref() != Some(&*request.id)
                && now >= owned.savepoint_due
            {
                return Some((partition, Purpose::Savepoint(Arc::clone(request))));
            }
            (now >= owned.due && owned.has_news()).then_some((partition, Purpose::Checkpoint))
        });
        due.map_or(Ok(()), |(partition, purpose)| self.begin_snapshot(partition, purpose))
    }

    pub(super) fn begin_snapshot(&mut self, partition: Partition, purpose: Purpose) -> Result<(), Halt> {
        let Some(owned) = self.shards.get_mut(&partition) else { return Ok(()) };
        let Some(offset) = owned.position else { return Ok(()) };
        // Also where no row has come for a while: what the store has forgotten must not lie before a checkpoint.
        self.sink.check(owned.origin);
        let ticket = self.sink.flush()?;
        let scope = match purpose {
            Purpose::Checkpoint => owned.scope,
            Purpose::Savepoint(_) => Scope::Everything,
        };
        let taken_at_ms = now_ms();
        let place = match (&purpose, &self.checkpoints) {
            (Purpose::Savepoint(request), _) => request.store.place(),
            (Purpose::Checkpoint, checkpoints) => {
                checkpoints.as_ref().map_or("", |checkpoints| checkpoints.store.place())
            }
        };
        self.metrics.checkpoints.begun(CheckpointEvent {
            partition,
            epoch: owned.origin.epoch,
            number: None,
            savepoint: match &purpose {
                Purpose::Checkpoint => None,
                Purpose::Savepoint(request) => Some(request.id.clone()),
            },
            state: CheckpointState::UnderWay,
            began_at_ms: taken_at_ms,
            ended_at_ms: None,
            offset,
            place: place.to_owned(),
        });
        let began = self.clock.now();
        owned.shard.cut(scope);
        owned.taking = Some(Taking {
            purpose,
            scope,
            ticket,
            offset,
            facts: owned.shard.facts(),
            taken_at_ms,
            began,
            bytes: Vec::new(),
            stage: Stage::Saving,
        });
        self.metrics.checkpoints.paused(self.clock.now().saturating_sub(began));
        Ok(())
    }

    /// Saves up to `limit` bytes of the snapshot that is being saved.
    fn save_some(&mut self, limit: usize) -> Result<(), Halt> {
        let Some(keeper) = self.keeper.as_ref().filter(|keeper| keeper.waiting_bytes() < WAITING_MAX) else {
            return Ok(());
        };
        let Some(owned) = self.shards.values_mut().find(|owned| owned.is(Stage::Saving)) else { return Ok(()) };
        let Some(taking) = &mut owned.taking else { return Ok(()) };
        let began = self.clock.now();
        let all = owned.shard.save(limit);
        owned.shard.collect(&mut taking.bytes);
        self.metrics.checkpoints.paused(self.clock.now().saturating_sub(began));
        if all {
            taking.stage = Stage::Saved;
        }
        if taking.bytes.len() >= PART_BYTES || (all && !taking.bytes.is_empty()) {
            let bytes = std::mem::take(&mut taking.bytes);
            keeper.ask(Task::Part { origin: owned.origin, purpose: taking.purpose.clone(), bytes })?;
        }
        Ok(())
    }

    /// Hands over the snapshots whose rows are all in the store.
    fn complete_what_is_acknowledged(&mut self) -> Result<(), Halt> {
        // Looked at first: losses and refusals before an acknowledged ticket are known once it is acknowledged.
        let acknowledged = self.sink.acknowledged();
        self.mind_losses()?;
        let ready = |taking: &Taking| taking.stage == Stage::Saved && taking.ticket <= acknowledged;
        if !self.shards.values().any(|owned| owned.taking.as_ref().is_some_and(ready)) {
            return Ok(());
        }
        self.bury_refused()?;
        self.dead_letters.flush()?;
        let Some(keeper) = &self.keeper else { return Ok(()) };
        for owned in self.shards.values_mut() {
            let Some(taking) = owned.taking.as_mut().filter(|taking| ready(taking)) else { continue };
            taking.stage = Stage::Completing;
            keeper.ask(Task::Complete(Box::new(Completion {
                origin: owned.origin,
                purpose: taking.purpose.clone(),
                scope: taking.scope,
                offset: taking.offset,
                facts: taking.facts.clone(),
                beginnings: owned.beginnings.clone(),
                taken_at_ms: taking.taken_at_ms,
            })))?;
        }
        Ok(())
    }

    /// Takes note of what the keeper has done.
    pub(super) fn hear_keeper(&mut self) -> Result<(), Halt> {
        while let Some(keeper) = &self.keeper {
            let Some(report) = keeper.report()? else { break };
            self.hear(report)?;
        }
        Ok(())
    }

    /// Waits a moment for what the keeper does.
    fn await_keeper(&mut self) -> Result<(), Halt> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        keeper.await_report(POLL_WAIT_SNAPSHOT)?.map_or(Ok(()), |report| self.hear(report))
    }

    fn hear(&mut self, report: Report) -> Result<(), Halt> {
        match report {
            Report::Found(partition, found) => self.note_found(partition, found),
            Report::Opened(partition, opened) => self.note_opened(partition, opened),
            Report::Ended { origin, purpose, number, outcome } => self.note_ended(origin, &purpose, number, outcome),
        }
    }

    fn note_ended(&mut self, origin: Origin, purpose: &Purpose, number: u64, outcome: Outcome) -> Result<(), Halt> {
        let now = self.clock.now();
        let every = self.checkpoints.as_ref().map_or(Duration::MAX, |checkpoints| checkpoints.every);
        let Some(owned) = self.shards.get_mut(&origin.partition).filter(|owned| owned.origin == origin) else {
            return Ok(()); // given up meanwhile
        };
        let partition = origin.partition;
        let state = match &outcome {
            Outcome::Complete { bytes: (added_bytes, state_bytes), .. } => {
                CheckpointState::Complete { added_bytes: *added_bytes, state_bytes: *state_bytes }
            }
            Outcome::Failed(reason) => CheckpointState::Failed(reason.clone()),
            Outcome::Fenced(epoch) => {
                CheckpointState::Failed(format!("another worker owns the partition, in epoch {epoch}"))
            }
            Outcome::Halted(halt) => CheckpointState::Failed(halt.to_string()),
        };
        self.metrics.checkpoints.ended(partition, |event| {
            event.number = Some(number);
            event.state = state;
            event.ended_at_ms = Some(now_ms());
        });
        match (outcome, purpose) {
            (Outcome::Complete { bytes, next, .. }, Purpose::Checkpoint) => {
                owned.shard.settle(true);
                let Some(taking) = owned.taking.take() else { return Ok(()) };
                owned.kept = Some(taking.offset);
                owned.kept_when = taking.began;
                owned.kept_at_ms = Some(taking.taken_at_ms);
                owned.kept_bytes = bytes.1;
                owned.scope = next;
                owned.due = (taking.began + every).max(now);
                self.metrics.checkpoints.complete(bytes, now.saturating_sub(taking.began));
                self.source.commit(&Positions::from([(partition, taking.offset)]), false)?;
            }
            (Outcome::Complete { id, bytes, .. }, Purpose::Savepoint(request)) => {
                owned.shard.settle(false);
                owned.taking = None;
                owned.savepoint = Some(request.id.as_str().into());
                info!(partition, checkpoint = %id, bytes = bytes.0, savepoint = request.id, "saved");
                let text = format!("{} in {}", request.id, request.store.place());
                self.metrics.notes.mark(MarkKind::Savepoint, text);
            }
            (Outcome::Failed(reason), Purpose::Checkpoint) => {
                owned.shard.settle(false);
                owned.taking = None;
                owned.last_failed = owned.frozen;
                owned.due = now + every;
                self.metrics.checkpoints.failed.add(1);
                self.metrics.notes.mark(MarkKind::CheckpointFailed, format!("partition {partition}: {reason}"));
                error!(partition, reason, "a checkpoint failed; events are worked on, and the next one tries again");
            }
            (Outcome::Failed(reason), Purpose::Savepoint(request)) => {
                owned.shard.settle(false);
                owned.taking = None;
                owned.savepoint_due = now + SAVEPOINT_PAUSE;
                error!(partition, savepoint = request.id, reason, "a savepoint failed; it is tried again in a moment");
            }
            (Outcome::Fenced(epoch), _) => self.lose(origin, epoch),
            (Outcome::Halted(halt), _) => return Err(halt),
        }
        Ok(())
    }

    /// Gives up the snapshot that is being taken of `partition`.
    pub(super) fn forget_snapshot(&mut self, partition: Partition) -> Result<(), Halt> {
        let Some(owned) = self.shards.get_mut(&partition) else { return Ok(()) };
        owned.shard.settle(false);
        self.metrics.checkpoints.given_up(partition);
        if owned.taking.take().is_some()
            && let Some(keeper) = &self.keeper
        {
            keeper.ask(Task::Forget(partition))?;
        }
        Ok(())
    }

    /// Last checkpoints of everything, whose rows are in the store; whether all are complete. Until `until` where
    /// everybody was asked to stop.
    pub(super) fn save_all(&mut self, ended: Ended, until: Duration) -> Result<bool, Halt> {
        if self.keeper.is_none() {
            return Ok(true);
        }
        if ended == Ended::Exhausted {
            self.end_snapshots(until)?;
        }
        for owned in self.shards.values_mut() {
            owned.frozen = true;
            if ended == Ended::Exhausted && owned.finished {
                // All windows have fired: what comes later is the beginning of new input. Layers before this one hold state
                // that only the watermark says is gone, and it begins anew.
                owned.shard.begin_anew();
                owned.count_anew("a new beginning");
                owned.finished = false;
                owned.kept = None;
                owned.scope = Scope::Everything;
            }
        }
        while !self.all_saved()? {
            if self.stop.requested() && self.clock.now() >= until {
                break;
            }
            self.save_some(PART_BYTES)?;
            self.complete_what_is_acknowledged()?;
            if !self.shards.values().any(|owned| owned.is(Stage::Saving)) {
                self.await_keeper()?;
            }
            self.hear_keeper()?;
        }
        let positions: Positions =
            self.shards.iter().filter_map(|(&partition, owned)| Some((partition, owned.kept?))).collect();
        if !positions.is_empty() {
            self.source.commit(&positions, true)?;
        }
        let left: Vec<_> = self
            .shards
            .iter()
            .filter(|(_, owned)| owned.has_news() && !owned.finished)
            .map(|(&partition, _)| partition)
            .collect();
        if !left.is_empty() {
            warn!(partitions = ?left, "ended without a last checkpoint: what follows the one before is read again");
        }
        Ok(left.is_empty())
    }

    /// Gives up the snapshots under way, and waits for those that are being completed.
    fn end_snapshots(&mut self, until: Duration) -> Result<(), Halt> {
        let saving = self.shards.iter().filter(|(_, owned)| !owned.is(Stage::Completing));
        for partition in saving.map(|(&partition, _)| partition).collect::<Vec<_>>() {
            self.forget_snapshot(partition)?;
        }
        while self.shards.values().any(|owned| owned.is(Stage::Completing)) {
            if self.stop.requested() && self.clock.now() >= until {
                break;
            }
            self.await_keeper()?;
        }
        Ok(())
    }

    /// Begins the last snapshot of every frozen partition that needs one; whether none does any more.
    pub(super) fn all_saved(&mut self) -> Result<bool, Halt> {
        let mut all = true;
        let frozen: Vec<Partition> =
            self.shards.iter().filter(|(_, owned)| owned.frozen).map(|(&partition, _)| partition).collect();
        for partition in frozen {
            let Some(owned) = self.shards.get(&partition) else { continue };
            match &owned.taking {
                // An older cut, or a copy for somebody else: there is no time for it any more.
                Some(taking)
                    if taking.stage != Stage::Completing
                        && (matches!(taking.purpose, Purpose::Savepoint(_))
                            || Some(taking.offset) != owned.position) =>
                {
                    self.forget_snapshot(partition)?;
                    all = false;
                }
                Some(_) => all = false,
                None if owned.has_news() && !owned.finished && !owned.last_failed => {
                    self.begin_snapshot(partition, Purpose::Checkpoint)?;
                    all = false;
                }
                None => {}
            }
        }
        Ok(all)
    }
}
