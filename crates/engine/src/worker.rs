//! The worker: one thread that owns shards and drives them from a source to a sink.
//!
//! Owns: the loop, the shards of its partitions ([`owned`]), taking partitions over and giving them up ([`moving`]), when
//! a checkpoint is taken and when it may count ([`snapshots`]). Does not own: threads (the binary starts one per worker),
//! Kafka, Redis, the checkpoint store (its keeper).
//! Invariants: (1) a record is looked at once per opening of its partition, in the order of the partition, by the
//! partition's shard; (2) a checkpoint counts only when every row and every dead letter produced before it is safe, and
//! offsets are committed only behind one; (3) a record that is not an event never stops the worker, and one that must stop
//! it ([`Halt`]) is not skipped; (4) nothing here waits for the checkpoint store while there are records to work on.
//! After a crash: each partition goes on from its last complete checkpoint, here or elsewhere. Rows that the store has
//! already are not written again.

mod emit;
mod moving;
mod owned;
mod snapshots;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bumpalo::Bump;
use windrow_core::EventTime;

use crate::checkpoint::{Checkpoints, Keeper};
use crate::metrics::Allowance;
use crate::{
    Cause, Clock, Counter, DeadLetter, DeadLetters, Halt, Job, Offset, Partition, Polled, Positions, Sink, Source,
    Stop, Ticket, WorkerMetrics,
};
use emit::{Emit, bury};
use moving::{Change, Coming, Fenced};
use owned::Owned;

/// How often rows are sent on while records keep coming.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// How often offsets are committed that were committed before.
const COMMIT_AGAIN_EVERY: Duration = Duration::from_secs(5);
/// How long one poll waits for records.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// The same while a snapshot waits for something.
const POLL_WAIT_SNAPSHOT: Duration = Duration::from_millis(5);
/// Decoding and windows are timed for records whose offset has none of these bits: one in 64.
const SAMPLED: Offset = 63;
/// How long a stop waits for rows to be written and the last checkpoints to be complete.
const STOP_PATIENCE: Duration = Duration::from_secs(8);

/// One worker.
pub struct Worker<S, K, D, C> {
    job: Job,
    source: S,
    sink: K,
    dead_letters: D,
    clock: C,
    stop: Stop,
    metrics: Arc<WorkerMetrics>,
    checkpoints: Option<Checkpoints>,
    keeper: Option<Keeper>,
    shards: BTreeMap<Partition, Owned>,
    /// What is to happen to partitions, in order; and what is happening.
    coming: VecDeque<Coming>,
    change: Option<Change>,
    /// Partitions that somebody else has claimed although the group has not said so yet.
    fenced: BTreeMap<Partition, Fenced>,
    arena: Bump,
    /// What is said for people: see [`crate::metrics`].
    allowance: Allowance,
    blocked_ns: Arc<Counter>,
    published: Option<Duration>,
}

/// How a worker ended, when it was not halted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Bounded input was read to its end and everything is written.
    Exhausted,
    /// It was asked to stop; everything read is written, and what is in open windows is in checkpoints.
    Stopped,
    /// It was asked to stop and everything is written, but the last checkpoints could not be completed: what follows the
    /// ones before is read again.
    StoppedUnsaved,
    /// It was asked to stop, but the store did not take the last rows in time. What follows the last checkpoint is read
    /// again.
    StoppedUnwritten,
}

impl<S: Source, K: Sink, D: DeadLetters, C: Clock> Worker<S, K, D, C> {
    /// A worker without partitions. Without `checkpoints` its state ends with it, which is right for input that can be
    /// read again from its beginning.
    #[allow(clippy::too_many_arguments)] // each is a different thing, and there is one caller per command
    pub fn new(
        job: Job,
        source: S,
        sink: K,
        dead_letters: D,
        clock: C,
        checkpoints: Option<Checkpoints>,
        stop: Stop,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let blocked_ns = sink.blocked_ns();
        metrics.times.watch(Arc::clone(&blocked_ns));
        let mut allowance = Allowance::default();
        allowance.renew();
        Self {
            job,
            source,
            sink,
            dead_letters,
            clock,
            stop,
            metrics,
            allowance,
            blocked_ns,
            published: None,
            checkpoints,
            keeper: None,
            shards: BTreeMap::new(),
            coming: VecDeque::new(),
            change: None,
            fenced: BTreeMap::new(),
            arena: Bump::new(),
        }
    }

    /// Runs until the input ends or everybody is asked to stop. The worker stays in the consumer group until it is
    /// dropped: leaving makes the group rebalance, which must not happen before its neighbours have saved their state.
    ///
    /// # Errors
    /// A fault that no retry mends.
    pub fn run(&mut self) -> Result<Ended, Halt> {
        let ended = self.work();
        self.metrics.times.end();
        ended
    }

    fn work(&mut self) -> Result<Ended, Halt> {
        if let Some(checkpoints) = &self.checkpoints {
            self.keeper = Some(Keeper::start(checkpoints.clone(), self.job.clone(), self.stop.clone())?);
        }
        let mut flushed = self.clock.now();
        let mut committed = flushed;
        let mut turned = (flushed, self.blocked_ns.get());
        while !self.stop.requested() {
            let (polled, idle) = self.poll()?;
            if self.stop.requested() {
                // Records may have been passed over, so what the source believes finished is not. A rebalance that is
                // left unanswered is answered when the source is dropped.
                break;
            }
            let now = self.clock.now();
            turned = self.count_turn(turned, now, idle);
            if polled == Polled::Idle || now.saturating_sub(flushed) >= FLUSH_EVERY {
                flushed = now;
                self.sink.flush()?;
                self.bury_refused()?;
                self.publish_state(now, false);
            }
            if now.saturating_sub(committed) >= COMMIT_AGAIN_EVERY {
                committed = now;
                self.commit_again()?;
            }
            match polled {
                Polled::Records | Polled::Idle => {}
                Polled::Assigned(partitions) => self.coming.push_back(Coming::Assigned(partitions)),
                Polled::Revoked { partitions, lost } => self.coming.push_back(Coming::Revoked { partitions, lost }),
                Polled::Jumped(partitions) => {
                    for partition in partitions {
                        self.shards.get_mut(&partition).into_iter().for_each(|owned| owned.count_anew("a jump"));
                    }
                }
                Polled::Finished(partition) => self.finish(partition),
                Polled::Exhausted => return self.end(Ended::Exhausted),
            }
            self.hear_keeper()?;
            self.go_on_with_snapshots()?;
            self.go_on_with_changes()?;
        }
        self.end(Ended::Stopped)
    }

    /// Commits behind the last checkpoints once more: a commit during a rebalance fails, and a partition that has gone quiet
    /// would show lag for ever.
    fn commit_again(&mut self) -> Result<(), Halt> {
        let kept = self.shards.iter().filter_map(|(&partition, owned)| Some((partition, owned.kept?)));
        let positions: Positions = kept.collect();
        if positions.is_empty() { Ok(()) } else { self.source.commit(&positions, false) }
    }

    /// Since the turn that ended at `from`, when the sink had blocked for so many nanoseconds: one more, of which `idle`
    /// was spent waiting for records.
    fn count_turn(&self, from: (Duration, u64), now: Duration, idle: Duration) -> (Duration, u64) {
        let blocked = self.blocked_ns.get();
        let other = idle + Duration::from_nanos(blocked.saturating_sub(from.1));
        self.metrics.times.turn(now.saturating_sub(from.0).saturating_sub(other), idle);
        (now, blocked)
    }

    /// Works on what the source has; and how long that kept us waiting.
    fn poll(&mut self) -> Result<(Polled, Duration), Halt> {
        let wait = self.poll_wait();
        let Self {
            job, source, sink, dead_letters, clock, stop, metrics, shards, arena, allowance, blocked_ns, ..
        } = self;
        let began = clock.now();
        let mut first = None;
        let mut late_for = Vec::new();
        let polled = source.poll(wait, &mut |record| {
            if first.is_none() {
                first = Some(clock.now());
            }
            if stop.requested() {
                return Ok(()); // not looked at, so its position does not move
            }
            let Some(owned) = shards.get_mut(&record.partition).filter(|owned| !owned.frozen) else {
                return Ok(()); // read ahead of a partition that was given up
            };
            metrics.records.add(1);
            metrics.bytes.add(record.payload.map_or(0, |payload| payload.len() as u64));
            arena.reset();
            let sample = (record.offset & SAMPLED == 0).then(|| clock.now());
            let decoded = match record.unreadable {
                None => job.decoder.decode(record.payload, arena).map_err(|malformed| malformed.to_string()),
                Some(reason) => Err(reason.to_owned()),
            };
            match decoded {
                Ok(event) => {
                    job.check_key(&record)?;
                    let decoded = sample.map(|began| (began, clock.now(), blocked_ns.get()));
                    let Owned { shard, origin, written, .. } = &mut *owned;
                    let before = shard.watermark();
                    let event_ms = event.time.ms();
                    let cause = Some(Cause { event_ms, appended_ms: record.timestamp_ms });
                    let late_for = &mut late_for;
                    shard.step(
                        &event,
                        &mut Emit { origin: *origin, written, sink, metrics, cause, told: false, late_for },
                    );
                    if let Some((began, decoded, blocked)) = decoded {
                        let blocked = Duration::from_nanos(blocked_ns.get().saturating_sub(blocked));
                        let step = clock.now().saturating_sub(decoded).saturating_sub(blocked);
                        metrics.times.sample(decoded.saturating_sub(began), step);
                    }
                    if !late_for.is_empty() {
                        let times = (event_ms, before.map(EventTime::ms));
                        allowance.late(&metrics.notes, &record, event.key, times, late_for);
                        late_for.clear();
                    }
                }
                Err(reason) => {
                    allowance.record(&metrics.notes, &record, &reason);
                    bury(&DeadLetter { topic: &job.topic, record, reason: &reason }, dead_letters, metrics)?;
                }
            }
            owned.position = Some(record.offset + 1);
            owned.records += 1;
            owned.last_appended_ms = record.timestamp_ms;
            Ok(())
        })?;
        Ok((polled, first.unwrap_or_else(|| clock.now()).saturating_sub(began)))
    }

    /// Bounded input: the partition's watermark moves to +∞ and everything left fires.
    fn finish(&mut self, partition: Partition) {
        let Self { sink, metrics, shards, .. } = self;
        if let Some(owned) = shards.get_mut(&partition) {
            let Owned { shard, origin, written, .. } = &mut *owned;
            let late_for = &mut Vec::new();
            let (cause, told) = (None, false);
            shard.finish(&mut Emit { origin: *origin, written, sink, metrics, cause, told, late_for });
            owned.finished = true;
        }
    }

    /// Keeps the rows that the store refused, safely, before a checkpoint behind them counts.
    fn bury_refused(&mut self) -> Result<(), Halt> {
        let refused = self.sink.refused();
        if refused.is_empty() {
            return Ok(());
        }
        self.metrics.refused_rows.add(refused.len() as u64);
        refused.iter().for_each(|row| self.allowance.row(&self.metrics.notes, row));
        refused.iter().try_for_each(|row| self.dead_letters.keep_row(row))?;
        self.dead_letters.flush()
    }

    fn end(&mut self, ended: Ended) -> Result<Ended, Halt> {
        self.dead_letters.flush()?;
        let ticket = self.sink.flush()?;
        let until = self.clock.now() + STOP_PATIENCE;
        let written = self.await_rows(ticket)?;
        self.bury_refused()?;
        self.mind_losses()?;
        if ended == Ended::Exhausted && !self.is_done() {
            return Err(Halt::Output(
                "the input has ended, but not for every partition: the store of rows has lost some that it had acknowledged, \
                 or another process has taken a partition over. Run the same command again: it goes on from the last \
                 checkpoints"
                    .to_owned(),
            ));
        }
        let saved = written && self.save_all(ended, until)?;
        let now = self.clock.now();
        self.publish_state(now, true);
        Ok(match (written, saved) {
            (true, true) => ended,
            (true, false) => Ended::StoppedUnsaved,
            (false, _) => Ended::StoppedUnwritten,
        })
    }

    /// Waits until the rows before `ticket` are in the store, however long that takes; once everybody is asked to stop,
    /// only for a moment. Whether they are.
    fn await_rows(&mut self, ticket: Ticket) -> Result<bool, Halt> {
        while !self.stop.requested() {
            if self.sink.wait(ticket, FLUSH_EVERY)? {
                return Ok(true);
            }
        }
        self.sink.wait(ticket, STOP_PATIENCE)
    }

    fn publish_state(&mut self, now: Duration, last: bool) {
        let watermark = self.shards.values().map(|owned| owned.shard.watermark()).min().flatten();
        let entities = self.shards.values().map(|owned| owned.shard.entities()).sum();
        self.metrics.set_state(self.shards.len(), entities, watermark);
        let oldest = self.shards.values().map(|owned| now.saturating_sub(owned.kept_when)).max();
        self.metrics.checkpoints.set_age(oldest);
        if !last && self.published.is_some_and(|published| now.saturating_sub(published) < FLUSH_EVERY) {
            return;
        }
        self.published = Some(now);
        self.allowance.renew();
        let disorder = self.job.max_out_of_orderness_ms;
        self.metrics.partitions.publish(self.shards.values_mut().map(|owned| owned.facts(disorder)));
        let mut by_view = vec![0; self.metrics.views.len()];
        for owned in self.shards.values() {
            by_view.iter_mut().zip(owned.shard.entities_by_view()).for_each(|(sum, entities)| *sum += entities as u64);
        }
        for (view, entities) in self.metrics.views.iter().zip(by_view) {
            view.entities.store(entities, Ordering::Relaxed);
        }
    }
}
