//! The loop of a worker: poll, decode, process, flush; and its end.
//!
//! Owns: the order of all steps, and how long each may wait. Does not own: the steps of partitions (`partition_changes`,
//! `fencing`) and of snapshots (`snapshots`).
//! Invariants: (1) a record is processed once per opening of its partition, in the order of the partition, by the
//! partition's shard; (2) a record that is not an event never stops the worker, and one that must stop it ([`Halt`]) is not
//! skipped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use windrow_core::EventTime;

use super::change_queue::PendingChange;
use super::partition_phase::TrackedPartition;
use super::row_emitter::RowEmitter;
use super::state::{Worker, WorkerOutcome};
use crate::checkpoint::CheckpointThreadHandle;
use crate::halt::OutputFault;
use crate::metrics::LateArrival;
use crate::{
    CommitWait, DeadLetter, DeadLetterSink, FlushTicket, Halt, Offset, Partition, PartitionOffsets, PollOutcome, Sink,
    Source, TriggerRecord,
};

/// How often rows are sent while records keep coming.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// How often offsets are committed that were committed before.
const RECOMMIT_INTERVAL: Duration = Duration::from_secs(5);
/// Decoding and windows are timed for records whose offset has none of these bits: one in 64.
const TIMING_SAMPLE_MASK: Offset = 63;
/// How long a stop waits for rows to be written and the last checkpoints to be complete.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// Where the clocks stood at the end of a pass through the loop.
#[derive(Clone, Copy, Debug)]
struct LoopTiming {
    ended_at: Duration,
    sink_blocked_ns: u64,
}

/// What a poll of the source brought.
struct PollResult {
    outcome: PollOutcome,
    /// How long the worker waited for the first record.
    idle: Duration,
}

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Runs until the input ends or a stop is requested. The worker stays in the consumer group until it is dropped:
    /// leaving makes the group rebalance, which must not happen before the other workers have saved their state.
    ///
    /// # Errors
    /// A fault that no retry resolves.
    pub fn run(&mut self) -> Result<WorkerOutcome, Halt> {
        let outcome = self.run_loop();
        self.metrics.time_use.mark_ended();
        outcome
    }

    fn run_loop(&mut self) -> Result<WorkerOutcome, Halt> {
        if let Some(checkpoints) = &self.checkpoints {
            let (config, job, stop_signal) = (checkpoints.clone(), self.job.clone(), self.stop_signal.clone());
            self.checkpoint_thread =
                Some(CheckpointThreadHandle::start(config, job, Arc::clone(&self.clock), stop_signal)?);
        }
        let started_at = self.clock.now();
        let (mut flushed_at, mut committed_at) = (started_at, started_at);
        let mut timing = LoopTiming { ended_at: started_at, sink_blocked_ns: self.sink_blocked_ns.get() };
        while !self.stop_signal.is_requested() {
            let PollResult { outcome, idle } = self.poll_source()?;
            if self.stop_signal.is_requested() {
                // Records may have been passed over, so what the source believes finished is not. A rebalance that is
                // not answered here is answered when the source is dropped.
                break;
            }
            let now = self.clock.now();
            timing = self.record_loop_timing(timing, now, idle);
            if outcome == PollOutcome::Idle || now.saturating_sub(flushed_at) >= FLUSH_INTERVAL {
                flushed_at = now;
                self.sink.flush()?;
                self.write_refused_rows()?;
                self.publish_metrics(now);
            }
            if now.saturating_sub(committed_at) >= RECOMMIT_INTERVAL {
                committed_at = now;
                self.recommit_offsets()?;
            }
            match outcome {
                PollOutcome::Records | PollOutcome::Idle => {}
                PollOutcome::Assigned(partitions) => self.queue_assignment(partitions),
                PollOutcome::Revoked(partitions) => self.pending_changes.push_back(PendingChange::Release(partitions)),
                PollOutcome::Lost(partitions) => self.pending_changes.push_back(PendingChange::Drop(partitions)),
                PollOutcome::OffsetsSkipped(partitions) => self.restart_row_counting(&partitions),
                PollOutcome::PartitionFinished(partition) => self.finish_partition(partition),
                PollOutcome::InputExhausted => return self.shut_down(WorkerOutcome::InputExhausted),
            }
            self.handle_checkpoint_events()?;
            self.advance_snapshots()?;
            self.advance_changes()?;
        }
        self.shut_down(WorkerOutcome::Stopped)
    }

    /// Commits the offsets of the last checkpoints again: a commit during a rebalance fails, and a partition without new
    /// records would show lag for ever.
    fn recommit_offsets(&mut self) -> Result<(), Halt> {
        let offsets = self.checkpoint_offsets();
        if offsets.is_empty() { Ok(()) } else { self.source.commit_offsets(&offsets, CommitWait::Background) }
    }

    /// Returns the offsets that the last complete checkpoints lead up to.
    pub(super) fn checkpoint_offsets(&self) -> PartitionOffsets {
        let offset = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            Some((partition, tracked.owned()?.last_checkpoint.offset?))
        };
        self.partitions.iter().filter_map(offset).collect()
    }

    /// Counts one pass through the loop, which spent `idle` waiting for records.
    fn record_loop_timing(&self, previous: LoopTiming, now: Duration, idle: Duration) -> LoopTiming {
        let sink_blocked_ns = self.sink_blocked_ns.get();
        let blocked = Duration::from_nanos(sink_blocked_ns.saturating_sub(previous.sink_blocked_ns));
        let busy = now.saturating_sub(previous.ended_at).saturating_sub(idle + blocked);
        self.metrics.time_use.record_loop(busy, idle);
        LoopTiming { ended_at: now, sink_blocked_ns }
    }

    /// Processes the records that the source has.
    fn poll_source(&mut self) -> Result<PollResult, Halt> {
        let timeout = self.poll_timeout();
        let Self {
            job,
            source,
            sink,
            dead_letters,
            clock,
            stop_signal,
            metrics,
            events,
            partitions,
            arena,
            sink_blocked_ns,
            ..
        } = self;
        let started_at = clock.now();
        let mut first_record_at = None;
        let mut late_views = Vec::new();
        let outcome = source.poll(timeout, &mut |record| {
            if first_record_at.is_none() {
                first_record_at = Some(clock.now());
            }
            if stop_signal.is_requested() {
                return Ok(()); // not processed, so the partition's offset does not move
            }
            let Some(owned) = partitions.get_mut(&record.partition).and_then(TrackedPartition::running_mut) else {
                return Ok(()); // read ahead of a partition that was given up
            };
            metrics.records.add(1);
            metrics.bytes.add(record.payload.map_or(0, |payload| payload.len() as u64));
            arena.reset();
            let sample_started_at = (record.offset & TIMING_SAMPLE_MASK == 0).then(|| clock.now());
            let decoded = match record.unreadable_reason {
                None => job.decoder.decode(record.payload, arena).map_err(|error| error.to_string()),
                Some(reason) => Err(reason.to_owned()),
            };
            match decoded {
                Ok(event) => {
                    job.check_record_key(&record)?;
                    let sample = sample_started_at.map(|started| (started, clock.now(), sink_blocked_ns.get()));
                    let watermark = owned.shard.watermark();
                    let event_time_ms = event.time.ms();
                    let trigger = TriggerRecord { event_time_ms, timestamp_ms: record.timestamp_ms };
                    owned.shard.process_event(
                        &event,
                        &mut RowEmitter {
                            fence_token: owned.fence_token,
                            rows_written: &owned.row_numbering.rows_written,
                            sink,
                            metrics,
                            trigger: Some(trigger),
                            trigger_set: false,
                            late_views: &mut late_views,
                        },
                    );
                    if let Some((started, decoded, blocked_ns)) = sample {
                        let blocked = Duration::from_nanos(sink_blocked_ns.get().saturating_sub(blocked_ns));
                        let windows = clock.now().saturating_sub(decoded).saturating_sub(blocked);
                        metrics.time_use.record_timing_sample(decoded.saturating_sub(started), windows);
                    }
                    if !late_views.is_empty() {
                        let watermark_ms = watermark.map(EventTime::ms);
                        events.late_event(LateArrival {
                            record: &record,
                            entity_key: event.key,
                            event_time_ms,
                            watermark_ms,
                            views: &late_views,
                        });
                        late_views.clear();
                    }
                }
                Err(reason) => {
                    let letter = DeadLetter { topic: &job.topic, record, reason: &reason };
                    events.dead_letter(&letter);
                    dead_letters.write_record(letter)?;
                }
            }
            owned.next_offset = Some(record.offset + 1);
            owned.activity.records += 1;
            owned.activity.last_record_timestamp_ms = record.timestamp_ms;
            Ok(())
        })?;
        let idle = first_record_at.unwrap_or_else(|| clock.now()).saturating_sub(started_at);
        Ok(PollResult { outcome, idle })
    }

    /// Numbers the rows anew behind records that the source had to pass over.
    fn restart_row_counting(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(owned) = self.partitions.get_mut(partition).and_then(TrackedPartition::owned_mut) {
                // The text is part of the fingerprint.
                owned.restart_row_counting("a jump");
            }
        }
    }

    /// Fires all windows of a partition whose bounded input has ended: its watermark moves to +∞.
    fn finish_partition(&mut self, partition: Partition) {
        let Self { sink, metrics, partitions, .. } = self;
        let Some(owned) = partitions.get_mut(&partition).and_then(TrackedPartition::owned_mut) else { return };
        owned.shard.finish_input(&mut RowEmitter {
            fence_token: owned.fence_token,
            rows_written: &owned.row_numbering.rows_written,
            sink,
            metrics,
            trigger: None,
            trigger_set: false,
            late_views: &mut Vec::new(),
        });
        owned.input_finished = true;
    }

    /// Writes the rows that the store refused to the dead letters, before a checkpoint behind them counts.
    pub(super) fn write_refused_rows(&mut self) -> Result<(), Halt> {
        let refused = self.sink.take_refused_rows();
        if refused.is_empty() {
            return Ok(());
        }
        self.events.rows_refused(&refused);
        refused.iter().try_for_each(|row| self.dead_letters.write_refused_row(row))?;
        self.dead_letters.flush()
    }

    /// Writes what is left, takes the last checkpoints and gives all partitions up.
    fn shut_down(&mut self, outcome: WorkerOutcome) -> Result<WorkerOutcome, Halt> {
        self.dead_letters.flush()?;
        let ticket = self.sink.flush()?;
        let deadline = self.clock.now() + STOP_TIMEOUT;
        let written = self.wait_for_rows(ticket)?;
        self.write_refused_rows()?;
        self.handle_lost_partitions()?;
        let partitions = self.unfinished_partitions();
        if outcome == WorkerOutcome::InputExhausted && !partitions.is_empty() {
            return Err(OutputFault::UnfinishedPartitions { partitions }.into());
        }
        let saved = written && self.take_final_checkpoints(outcome, deadline)?;
        let now = self.clock.now();
        self.publish_all_metrics(now);
        for (_, mut tracked) in std::mem::take(&mut self.partitions) {
            tracked.release(now)?;
        }
        Ok(match (written, saved) {
            (true, true) => outcome,
            (true, false) => WorkerOutcome::StoppedWithoutCheckpoint,
            (false, _) => WorkerOutcome::StoppedWithUnwrittenRows,
        })
    }

    /// Whether every partition was read to its end by this worker.
    fn unfinished_partitions(&self) -> Vec<Partition> {
        let unfinished = self.partitions.iter().filter(|(_, tracked)| !tracked.is_input_finished());
        unfinished.map(|(&partition, _)| partition).collect()
    }

    /// Waits until the rows before `ticket` are in the store, however long that takes; after a stop was requested, at most
    /// [`STOP_TIMEOUT`]. Returns whether they are.
    fn wait_for_rows(&mut self, ticket: FlushTicket) -> Result<bool, Halt> {
        while !self.stop_signal.is_requested() {
            if self.sink.wait_for_ticket(ticket, FLUSH_INTERVAL)? {
                return Ok(true);
            }
        }
        self.sink.wait_for_ticket(ticket, STOP_TIMEOUT)
    }

    /// Publishes totals, and the status of every partition where that was not done just now.
    fn publish_metrics(&mut self, now: Duration) {
        self.publish_totals(now);
        if self.last_published.is_none_or(|published| now.saturating_sub(published) >= FLUSH_INTERVAL) {
            self.publish_statuses(now);
        }
    }

    fn publish_all_metrics(&mut self, now: Duration) {
        self.publish_totals(now);
        self.publish_statuses(now);
    }

    fn publish_totals(&self, now: Duration) {
        let owned = || self.partitions.values().filter_map(TrackedPartition::owned);
        let watermark = owned().map(|owned| owned.shard.watermark()).min().flatten();
        let entities = owned().map(|owned| owned.shard.entity_count()).sum();
        self.metrics.set_shard_totals(owned().count(), entities, watermark);
        let oldest = owned().map(|owned| now.saturating_sub(owned.last_checkpoint.cut_at)).max();
        self.metrics.checkpoints.set_oldest_age(oldest);
    }

    fn publish_statuses(&mut self, now: Duration) {
        self.last_published = Some(now);
        self.events.refill_budget();
        let (out_of_orderness_ms, wall_now_ms) = (self.job.max_out_of_orderness_ms, self.clock.wall_now_ms());
        let owned = self.partitions.values_mut().filter_map(TrackedPartition::owned_mut);
        self.metrics.partitions.publish(owned.map(|owned| owned.publish_status(out_of_orderness_ms, wall_now_ms)));
        let mut entities_by_view = vec![0; self.metrics.views.len()];
        for owned in self.partitions.values().filter_map(TrackedPartition::owned) {
            let counts = owned.shard.entity_counts_by_view();
            entities_by_view.iter_mut().zip(counts).for_each(|(sum, entities)| *sum += entities as u64);
        }
        for (view, entities) in self.metrics.views.iter().zip(entities_by_view) {
            view.entities.store(entities, Ordering::Relaxed);
        }
    }
}
