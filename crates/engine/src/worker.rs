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

use crate::checkpoint::{CheckpointConfig, CheckpointThreadHandle};
use crate::metrics::RecordingBudget;
use crate::{
    Clock, Counter, DeadLetter, DeadLetterSink, FlushTicket, Halt, JobDefinition, Offset, Partition, PartitionOffsets,
    PollOutcome, Sink, Source, StopSignal, TriggerRecord, WorkerMetrics,
};
use emit::{RowEmitter, write_dead_letter};
use moving::{ActiveChange, FencedPartition, PendingChange};
use owned::OwnedPartition;

/// How often rows are sent on while records keep coming.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// How often offsets are committed that were committed before.
const RECOMMIT_INTERVAL: Duration = Duration::from_secs(5);
/// How long one poll waits for records.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// The same while a snapshot waits for something.
const POLL_TIMEOUT_DURING_SNAPSHOT: Duration = Duration::from_millis(5);
/// Decoding and windows are timed for records whose offset has none of these bits: one in 64.
const TIMING_SAMPLE_MASK: Offset = 63;
/// How long a stop waits for rows to be written and the last checkpoints to be complete.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// One worker.
pub struct Worker<Input, Output, Rejects> {
    job: JobDefinition,
    source: Input,
    sink: Output,
    dead_letters: Rejects,
    clock: Arc<dyn Clock>,
    stop_signal: StopSignal,
    metrics: Arc<WorkerMetrics>,
    checkpoints: Option<CheckpointConfig>,
    checkpoint_thread: Option<CheckpointThreadHandle>,
    partitions: BTreeMap<Partition, OwnedPartition>,
    /// What is to happen to partitions, in order; and what is happening.
    pending_changes: VecDeque<PendingChange>,
    active_change: Option<ActiveChange>,
    /// Partitions that somebody else has claimed although the group has not said so yet.
    fenced_partitions: BTreeMap<Partition, FencedPartition>,
    arena: Bump,
    /// What is said for people: see [`crate::get_metrics`].
    recording_budget: RecordingBudget,
    blocked_ns: Arc<Counter>,
    last_published: Option<Duration>,
}

/// What a worker is made of.
pub struct WorkerParts<Input, Output, Rejects> {
    /// What is computed.
    pub job: JobDefinition,
    /// Where records come from.
    pub source: Input,
    /// Where rows go.
    pub sink: Output,
    /// Where records that are not events, and refused rows, go.
    pub dead_letters: Rejects,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where state is kept. Without it, state ends with the worker: right for input that can be read again from its
    /// beginning.
    pub checkpoints: Option<CheckpointConfig>,
    /// Ends the worker.
    pub stop_signal: StopSignal,
    /// Where the worker publishes what it does.
    pub metrics: Arc<WorkerMetrics>,
}

/// How a worker ended, when it was not halted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkerOutcome {
    /// Bounded input was read to its end and everything is written.
    InputExhausted,
    /// It was asked to stop; everything read is written, and what is in open windows is in checkpoints.
    Stopped,
    /// It was asked to stop and everything is written, but the last checkpoints could not be completed: what follows the
    /// ones before is read again.
    StoppedWithoutCheckpoint,
    /// It was asked to stop, but the store did not take the last rows in time. What follows the last checkpoint is read
    /// again.
    StoppedWithUnwrittenRows,
}

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Returns a worker without partitions.
    #[must_use]
    pub fn new(parts: WorkerParts<Input, Output, Rejects>) -> Self {
        let WorkerParts { job, source, sink, dead_letters, clock, checkpoints, stop_signal, metrics } = parts;
        let blocked_ns = sink.blocked_ns_counter();
        metrics.time_use.set_blocked_counter(Arc::clone(&blocked_ns));
        let mut recording_budget = RecordingBudget::default();
        recording_budget.refill();
        Self {
            job,
            source,
            sink,
            dead_letters,
            clock,
            stop_signal,
            metrics,
            recording_budget,
            blocked_ns,
            last_published: None,
            checkpoints,
            checkpoint_thread: None,
            partitions: BTreeMap::new(),
            pending_changes: VecDeque::new(),
            active_change: None,
            fenced_partitions: BTreeMap::new(),
            arena: Bump::new(),
        }
    }

    /// Runs until the input ends or everybody is asked to stop. The worker stays in the consumer group until it is
    /// dropped: leaving makes the group rebalance, which must not happen before its neighbours have saved their state.
    ///
    /// # Errors
    /// A fault that no retry mends.
    pub fn run(&mut self) -> Result<WorkerOutcome, Halt> {
        let ended = self.run_loop();
        self.metrics.time_use.mark_ended();
        ended
    }

    fn run_loop(&mut self) -> Result<WorkerOutcome, Halt> {
        if let Some(checkpoints) = &self.checkpoints {
            self.checkpoint_thread =
                Some(CheckpointThreadHandle::start(checkpoints.clone(), self.job.clone(), self.stop_signal.clone())?);
        }
        let mut flushed = self.clock.now();
        let mut committed = flushed;
        let mut turned = (flushed, self.blocked_ns.get());
        while !self.stop_signal.is_requested() {
            let (polled, idle) = self.poll_source()?;
            if self.stop_signal.is_requested() {
                // Records may have been passed over, so what the source believes finished is not. A rebalance that is
                // left unanswered is answered when the source is dropped.
                break;
            }
            let now = self.clock.now();
            turned = self.record_loop_timing(turned, now, idle);
            if polled == PollOutcome::Idle || now.saturating_sub(flushed) >= FLUSH_INTERVAL {
                flushed = now;
                self.sink.flush()?;
                self.write_refused_rows()?;
                self.publish_metrics(now, false);
            }
            if now.saturating_sub(committed) >= RECOMMIT_INTERVAL {
                committed = now;
                self.recommit_offsets()?;
            }
            match polled {
                PollOutcome::Records | PollOutcome::Idle => {}
                PollOutcome::Assigned(partitions) => {
                    self.pending_changes.push_back(PendingChange::Assigned(partitions));
                }
                PollOutcome::Revoked { partitions, lost } => {
                    self.pending_changes.push_back(PendingChange::Revoked { partitions, lost });
                }
                PollOutcome::OffsetsSkipped(partitions) => {
                    for partition in partitions {
                        self.partitions
                            .get_mut(&partition)
                            .into_iter()
                            .for_each(|owned| owned.restart_row_counting("a jump"));
                    }
                }
                PollOutcome::PartitionFinished(partition) => self.finish_partition(partition),
                PollOutcome::InputExhausted => return self.shut_down(WorkerOutcome::InputExhausted),
            }
            self.handle_checkpoint_events()?;
            self.advance_snapshots()?;
            self.advance_changes()?;
        }
        self.shut_down(WorkerOutcome::Stopped)
    }

    /// Commits behind the last checkpoints once more: a commit during a rebalance fails, and a partition that has gone quiet
    /// would show lag for ever.
    fn recommit_offsets(&mut self) -> Result<(), Halt> {
        let kept = self.partitions.iter().filter_map(|(&partition, owned)| Some((partition, owned.checkpoint_offset?)));
        let positions: PartitionOffsets = kept.collect();
        if positions.is_empty() { Ok(()) } else { self.source.commit_offsets(&positions, false) }
    }

    /// Since the turn that ended at `from`, when the sink had blocked for so many nanoseconds: one more, of which `idle`
    /// was spent waiting for records.
    fn record_loop_timing(&self, from: (Duration, u64), now: Duration, idle: Duration) -> (Duration, u64) {
        let blocked = self.blocked_ns.get();
        let other = idle + Duration::from_nanos(blocked.saturating_sub(from.1));
        self.metrics.time_use.record_loop(now.saturating_sub(from.0).saturating_sub(other), idle);
        (now, blocked)
    }

    /// Works on what the source has; and how long that kept us waiting.
    fn poll_source(&mut self) -> Result<(PollOutcome, Duration), Halt> {
        let wait = self.poll_timeout();
        let Self {
            job,
            source,
            sink,
            dead_letters,
            clock,
            stop_signal: stop,
            metrics,
            partitions: shards,
            arena,
            recording_budget: allowance,
            blocked_ns,
            ..
        } = self;
        let began = clock.now();
        let mut first = None;
        let mut late_for = Vec::new();
        let polled = source.poll(wait, &mut |record| {
            if first.is_none() {
                first = Some(clock.now());
            }
            if stop.is_requested() {
                return Ok(()); // not looked at, so its position does not move
            }
            let Some(owned) = shards.get_mut(&record.partition).filter(|owned| !owned.frozen) else {
                return Ok(()); // read ahead of a partition that was given up
            };
            metrics.records.add(1);
            metrics.bytes.add(record.payload.map_or(0, |payload| payload.len() as u64));
            arena.reset();
            let sample = (record.offset & TIMING_SAMPLE_MASK == 0).then(|| clock.now());
            let decoded = match record.unreadable_reason {
                None => job.decoder.decode(record.payload, arena).map_err(|malformed| malformed.to_string()),
                Some(reason) => Err(reason.to_owned()),
            };
            match decoded {
                Ok(event) => {
                    job.check_record_key(&record)?;
                    let decoded = sample.map(|began| (began, clock.now(), blocked_ns.get()));
                    let OwnedPartition { shard, fence_token: origin, rows_written: written, .. } = &mut *owned;
                    let before = shard.watermark();
                    let event_ms = event.time.ms();
                    let cause = Some(TriggerRecord { event_time_ms: event_ms, timestamp_ms: record.timestamp_ms });
                    let late_for = &mut late_for;
                    shard.process_event(
                        &event,
                        &mut RowEmitter {
                            fence_token: *origin,
                            rows_written: written,
                            sink,
                            metrics,
                            trigger: cause,
                            trigger_set: false,
                            late_views: late_for,
                        },
                    );
                    if let Some((began, decoded, blocked)) = decoded {
                        let blocked = Duration::from_nanos(blocked_ns.get().saturating_sub(blocked));
                        let step = clock.now().saturating_sub(decoded).saturating_sub(blocked);
                        metrics.time_use.record_timing_sample(decoded.saturating_sub(began), step);
                    }
                    if !late_for.is_empty() {
                        let times = (event_ms, before.map(EventTime::ms));
                        allowance.record_late_event(&metrics.recent_events, &record, event.key, times, late_for);
                        late_for.clear();
                    }
                }
                Err(reason) => {
                    allowance.record_dead_letter(&metrics.recent_events, &record, &reason);
                    write_dead_letter(
                        &DeadLetter { topic: &job.topic, record, reason: &reason },
                        dead_letters,
                        metrics,
                    )?;
                }
            }
            owned.next_offset = Some(record.offset + 1);
            owned.records += 1;
            owned.last_record_timestamp_ms = record.timestamp_ms;
            Ok(())
        })?;
        Ok((polled, first.unwrap_or_else(|| clock.now()).saturating_sub(began)))
    }

    /// Bounded input: the partition's watermark moves to +∞ and everything left fires.
    fn finish_partition(&mut self, partition: Partition) {
        let Self { sink, metrics, partitions: shards, .. } = self;
        if let Some(owned) = shards.get_mut(&partition) {
            let OwnedPartition { shard, fence_token: origin, rows_written: written, .. } = &mut *owned;
            let late_for = &mut Vec::new();
            let (cause, told) = (None, false);
            shard.finish_input(&mut RowEmitter {
                fence_token: *origin,
                rows_written: written,
                sink,
                metrics,
                trigger: cause,
                trigger_set: told,
                late_views: late_for,
            });
            owned.finished = true;
        }
    }

    /// Keeps the rows that the store refused, safely, before a checkpoint behind them counts.
    fn write_refused_rows(&mut self) -> Result<(), Halt> {
        let refused = self.sink.take_refused_rows();
        if refused.is_empty() {
            return Ok(());
        }
        self.metrics.refused_rows.add(refused.len() as u64);
        refused.iter().for_each(|row| self.recording_budget.record_refused_row(&self.metrics.recent_events, row));
        refused.iter().try_for_each(|row| self.dead_letters.write_refused_row(row))?;
        self.dead_letters.flush()
    }

    fn shut_down(&mut self, ended: WorkerOutcome) -> Result<WorkerOutcome, Halt> {
        self.dead_letters.flush()?;
        let ticket = self.sink.flush()?;
        let until = self.clock.now() + STOP_TIMEOUT;
        let written = self.wait_for_rows(ticket)?;
        self.write_refused_rows()?;
        self.handle_lost_partitions()?;
        if ended == WorkerOutcome::InputExhausted && !self.is_input_finished() {
            return Err(Halt::Output(
                "the input has ended, but not for every partition: the store of rows has lost some that it had acknowledged, \
                 or another process has taken a partition over. Run the same command again: it goes on from the last \
                 checkpoints"
                    .to_owned(),
            ));
        }
        let saved = written && self.take_final_checkpoints(ended, until)?;
        let now = self.clock.now();
        self.publish_metrics(now, true);
        Ok(match (written, saved) {
            (true, true) => ended,
            (true, false) => WorkerOutcome::StoppedWithoutCheckpoint,
            (false, _) => WorkerOutcome::StoppedWithUnwrittenRows,
        })
    }

    /// Waits until the rows before `ticket` are in the store, however long that takes; once everybody is asked to stop,
    /// only for a moment. Whether they are.
    fn wait_for_rows(&mut self, ticket: FlushTicket) -> Result<bool, Halt> {
        while !self.stop_signal.is_requested() {
            if self.sink.wait_for_ticket(ticket, FLUSH_INTERVAL)? {
                return Ok(true);
            }
        }
        self.sink.wait_for_ticket(ticket, STOP_TIMEOUT)
    }

    fn publish_metrics(&mut self, now: Duration, last: bool) {
        let watermark = self.partitions.values().map(|owned| owned.shard.watermark()).min().flatten();
        let entities = self.partitions.values().map(|owned| owned.shard.entity_count()).sum();
        self.metrics.set_shard_totals(self.partitions.len(), entities, watermark);
        let oldest = self.partitions.values().map(|owned| now.saturating_sub(owned.checkpoint_time)).max();
        self.metrics.checkpoints.set_oldest_age(oldest);
        if !last && self.last_published.is_some_and(|published| now.saturating_sub(published) < FLUSH_INTERVAL) {
            return;
        }
        self.last_published = Some(now);
        self.recording_budget.refill();
        let disorder = self.job.max_out_of_orderness_ms;
        self.metrics.partitions.publish(self.partitions.values_mut().map(|owned| owned.build_status(disorder)));
        let mut by_view = vec![0; self.metrics.views.len()];
        for owned in self.partitions.values() {
            by_view
                .iter_mut()
                .zip(owned.shard.entity_counts_by_view())
                .for_each(|(sum, entities)| *sum += entities as u64);
        }
        for (view, entities) in self.metrics.views.iter().zip(by_view) {
            view.entities.store(entities, Ordering::Relaxed);
        }
    }
}
