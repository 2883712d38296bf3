//! The worker: one thread that owns shards and drives them from a source to a sink.
//!
//! Owns: the loop, the shards of its partitions, when offsets may be committed. Does not own: threads (the binary starts
//! one per worker), Kafka, Redis.
//! Invariants: (1) a record is looked at once, in the order of its partition, by the shard of its partition; (2) an
//! offset is committed only when every row and every dead letter produced before it is safe; (3) a record that is not an
//! event never stops the worker, and one that must stop it ([`Halt`]) is not skipped.
//! After a crash: reading goes on at the committed offsets with empty shards. Windows that were open then miss the events
//! before those offsets; keeping them is what checkpoints are for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bumpalo::Bump;
use tracing::{error, warn};
use windrow_core::{FeatureView, HashKey, Late, Output, Row, Schema, Shard};

use crate::handover::Parked;
use crate::{
    Clock, DeadLetter, DeadLetters, Decoder, Halt, Handover, Origin, Partition, Polled, Positions, Record, Sink,
    Source, Stop, Ticket, WorkerMetrics,
};

/// How often rows are sent on and offsets made ready to commit while records keep coming.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// How often offsets are committed.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How long one poll waits for records.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// How long a stop waits for rows to be written.
const STOP_PATIENCE: Duration = Duration::from_secs(8);
/// Dead letters logged in full per worker; the rest are counted.
const DEAD_LETTERS_LOGGED: u64 = 10;

/// What a worker computes.
#[derive(Clone, Debug)]
pub struct Job {
    /// The feature views, in the pipeline's order.
    pub views: Arc<[FeatureView]>,
    /// The event's fields.
    pub schema: Schema,
    /// How far event times may be out of order, in milliseconds.
    pub max_out_of_orderness_ms: i64,
    /// How records become events.
    pub decoder: Decoder,
    /// The topic (or file) the records come from, for dead letters.
    pub topic: Arc<str>,
    /// Key of the hash tables.
    pub hash_key: HashKey,
    /// Whether a record without a key must be refused: true for topics of several partitions, where it would scatter an
    /// entity's events.
    pub keys_required: bool,
    /// Whether the input has an end. Offsets of bounded input are committed only there: its rows can be computed again,
    /// but not from the middle.
    pub bounded: bool,
}

/// One worker.
pub struct Worker<S, K, D, C> {
    job: Job,
    source: S,
    sink: K,
    dead_letters: D,
    clock: C,
    handover: Handover,
    stop: Stop,
    metrics: Arc<WorkerMetrics>,
    shards: BTreeMap<Partition, Owned>,
    commits: VecDeque<(Ticket, Positions)>,
    /// The positions last made ready to commit.
    prepared: Positions,
    arena: Bump,
}

struct Owned {
    shard: Shard,
    position: crate::Offset,
}

/// How a worker ended, when it was not halted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Bounded input was read to its end and everything is written.
    Exhausted,
    /// It was asked to stop, and everything read is written; it is committed too where the input can still be reached.
    Stopped,
    /// It was asked to stop, but the store did not take the last rows in time. Their offsets are not committed.
    StoppedUnwritten,
}

impl<S: Source, K: Sink, D: DeadLetters, C: Clock> Worker<S, K, D, C> {
    /// A worker without partitions.
    #[allow(clippy::too_many_arguments)] // each is a different thing, and there is one caller per command
    pub fn new(
        job: Job,
        source: S,
        sink: K,
        dead_letters: D,
        clock: C,
        handover: Handover,
        stop: Stop,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            job,
            source,
            sink,
            dead_letters,
            clock,
            handover,
            stop,
            metrics,
            shards: BTreeMap::new(),
            commits: VecDeque::new(),
            prepared: Positions::new(),
            arena: Bump::new(),
        }
    }

    /// Runs until the input ends or everybody is asked to stop. The worker stays in the consumer group until it is
    /// dropped: leaving makes the group rebalance, which must not happen before its neighbours have committed.
    ///
    /// # Errors
    /// A fault that no retry mends.
    pub fn run(&mut self) -> Result<Ended, Halt> {
        let mut flushed = self.clock.now();
        let mut committed = flushed;
        while !self.stop.requested() {
            let polled = self.poll()?;
            if self.stop.requested() {
                // Records may have been passed over, so what the source believes finished is not. A rebalance that is
                // left unanswered is answered when the source is dropped.
                break;
            }
            let now = self.clock.now();
            if polled == Polled::Idle || now.saturating_sub(flushed) >= FLUSH_EVERY {
                flushed = now;
                self.sink.flush()?;
                self.publish_state();
            }
            if now.saturating_sub(committed) >= COMMIT_EVERY {
                committed = now;
                self.prepare_commit()?;
                if self.job.bounded {
                    self.bury_refused()?;
                } else {
                    self.commit_acknowledged(false)?;
                }
            }
            match polled {
                Polled::Records | Polled::Idle => {}
                Polled::Assigned(partitions) => self.begin(&partitions)?,
                Polled::Revoked { partitions, lost } => self.release(&partitions, lost)?,
                Polled::Finished(partition) => self.finish(partition),
                Polled::Exhausted => return self.end(Ended::Exhausted),
            }
        }
        self.end(Ended::Stopped)
    }

    fn poll(&mut self) -> Result<Polled, Halt> {
        let Self { job, source, sink, dead_letters, stop, metrics, shards, arena, .. } = self;
        source.poll(POLL_WAIT, &mut |record| {
            if stop.requested() {
                return Ok(()); // not looked at, so its position does not move
            }
            let Some(owned) = shards.get_mut(&record.partition) else {
                return Ok(()); // read ahead of a partition that was given up
            };
            metrics.records.add(1);
            metrics.bytes.add(record.payload.map_or(0, |payload| payload.len() as u64));
            arena.reset();
            let decoded = match record.unreadable {
                None => job.decoder.decode(record.payload, arena).map_err(|malformed| malformed.to_string()),
                Some(reason) => Err(reason.to_owned()),
            };
            match decoded {
                Ok(event) => {
                    job.check_key(&record)?;
                    let origin = Origin { partition: record.partition, epoch: 0 };
                    owned.shard.step(&event, &mut Emit { origin, sink, metrics });
                }
                Err(reason) => {
                    bury(&DeadLetter { topic: &job.topic, record, reason: &reason }, dead_letters, metrics)?;
                }
            }
            owned.position = record.offset + 1;
            Ok(())
        })
    }

    /// Takes over partitions, with the shards another worker of this process left for them where they are up to date.
    fn begin(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        let committed = match self.source.committed(partitions) {
            Err(_) if self.stop.requested() => return Ok(()), // nobody answered until it no longer mattered
            committed => committed?,
        };
        let mut positions = committed.clone();
        for &partition in partitions {
            let parked = self.handover.take(partition, committed.get(&partition).copied());
            let owned = match parked {
                Some(Parked { shard, position }) => {
                    positions.insert(partition, position);
                    Owned { shard, position }
                }
                None => Owned { shard: self.job.shard(), position: -1 },
            };
            self.shards.insert(partition, owned);
        }
        for (partition, start) in self.source.begin(partitions, &positions)? {
            if let Some(owned) = self.shards.get_mut(&partition) {
                owned.position = owned.position.max(start);
            }
        }
        Ok(())
    }

    /// Gives partitions up: their rows are written and their offsets committed first, where they are still ours.
    fn release(&mut self, partitions: &[Partition], lost: bool) -> Result<(), Halt> {
        if lost {
            warn!(?partitions, "partitions were lost to another member of the group");
            for partition in partitions {
                self.shards.remove(partition);
            }
            self.forget_commits(partitions);
        } else {
            self.prepared.clear(); // also what an earlier commit was meant to cover: that one may still be on its way
            let ticket = self.prepare_commit()?;
            let written = self.await_rows(ticket)?;
            self.commit_acknowledged(true)?;
            for &partition in partitions {
                let Some(Owned { shard, position }) = self.shards.remove(&partition) else { continue };
                if written && position >= 0 {
                    self.handover.put(partition, Parked { shard, position });
                }
            }
            self.forget_commits(partitions);
            if !written {
                error!(
                    ?partitions,
                    "gave up partitions before the store took their last rows; they will be read again"
                );
            }
        }
        self.source.release(partitions)
    }

    /// Bounded input: the partition's watermark moves to +∞ and everything left fires.
    fn finish(&mut self, partition: Partition) {
        let Self { sink, metrics, shards, .. } = self;
        if let Some(owned) = shards.get_mut(&partition) {
            owned.shard.finish(&mut Emit { origin: Origin { partition, epoch: 0 }, sink, metrics });
        }
    }

    /// Makes the positions reached so far committable once all rows produced up to here are in the store.
    fn prepare_commit(&mut self) -> Result<Ticket, Halt> {
        self.dead_letters.flush()?;
        let ticket = self.sink.flush()?;
        let positions: Positions = self
            .shards
            .iter()
            .filter(|(_, owned)| owned.position >= 0)
            .map(|(&partition, owned)| (partition, owned.position))
            .collect();
        if !positions.is_empty() && positions != self.prepared {
            self.prepared.clone_from(&positions);
            self.commits.push_back((ticket, positions));
        }
        Ok(ticket)
    }

    fn commit_acknowledged(&mut self, wait: bool) -> Result<(), Halt> {
        let acknowledged = self.sink.acknowledged();
        self.bury_refused()?;
        let mut ready = None;
        while self.commits.front().is_some_and(|(ticket, _)| *ticket <= acknowledged) {
            ready = self.commits.pop_front();
        }
        match ready {
            Some((_, positions)) => self.source.commit(&positions, wait),
            None => Ok(()),
        }
    }

    /// Keeps the rows that the store refused, safely, before offsets behind them are committed.
    fn bury_refused(&mut self) -> Result<(), Halt> {
        let refused = self.sink.refused();
        if refused.is_empty() {
            return Ok(());
        }
        self.metrics.refused_rows.add(refused.len() as u64);
        refused.iter().try_for_each(|row| self.dead_letters.keep_row(row))?;
        self.dead_letters.flush()
    }

    fn forget_commits(&mut self, partitions: &[Partition]) {
        for (_, positions) in &mut self.commits {
            positions.retain(|partition, _| !partitions.contains(partition));
        }
        self.commits.retain(|(_, positions)| !positions.is_empty());
        self.prepared.retain(|partition, _| !partitions.contains(partition));
    }

    fn end(&mut self, ended: Ended) -> Result<Ended, Halt> {
        self.prepared.clear(); // as when partitions are given up
        let ticket = self.prepare_commit()?;
        let written = self.await_rows(ticket)?;
        if ended == Ended::Exhausted || !self.job.bounded {
            self.commit_acknowledged(true)?;
        } else {
            self.bury_refused()?;
        }
        self.publish_state();
        Ok(if written { ended } else { Ended::StoppedUnwritten })
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

    fn publish_state(&self) {
        let watermark = self.shards.values().map(|owned| owned.shard.watermark()).min().flatten();
        let entities = self.shards.values().map(|owned| owned.shard.entities()).sum();
        self.metrics.set_state(self.shards.len(), entities, watermark);
    }
}

impl Job {
    fn shard(&self) -> Shard {
        Shard::new(self.views.iter(), &self.schema, self.max_out_of_orderness_ms, self.hash_key)
    }

    fn check_key(&self, record: &Record<'_>) -> Result<(), Halt> {
        if self.keys_required && record.key.is_none() {
            return Err(Halt::Input(format!(
                "the record at offset {} of partition {} has no key, but topic `{}` has several partitions: without keys \
                 the events of one entity are spread over all of them and every window would count only a part. Produce \
                 with `{}` as the record key, or use a topic with one partition.",
                record.offset,
                record.partition,
                self.topic,
                self.schema.key_name(),
            )));
        }
        Ok(())
    }
}

fn bury(letter: &DeadLetter<'_>, dead_letters: &mut impl DeadLetters, metrics: &WorkerMetrics) -> Result<(), Halt> {
    metrics.dead_letters.add(1);
    let count = metrics.dead_letters.get();
    if count <= DEAD_LETTERS_LOGGED {
        let (topic, partition, offset) = (letter.topic, letter.record.partition, letter.record.offset);
        warn!(topic, partition, offset, reason = letter.reason, "dead letter");
    }
    if count == DEAD_LETTERS_LOGGED {
        warn!("further dead letters are counted, not logged one by one");
    }
    dead_letters.keep(*letter)
}

/// Passes on what a shard emits, and counts it.
struct Emit<'a, K> {
    origin: Origin,
    sink: &'a mut K,
    metrics: &'a WorkerMetrics,
}

impl<K: Sink> Output for Emit<'_, K> {
    fn row(&mut self, row: Row<'_>) {
        self.metrics.views[row.view.0].rows.add(1);
        self.sink.row(self.origin, row);
    }

    fn late(&mut self, late: Late<'_>) {
        self.metrics.views[late.view.0].late.add(1);
        self.sink.late(late);
    }
}
