//! The loop of a worker (poll, decode, process, flush), and the shutdown of the worker.
//!
//! Owns: the order of the loop's steps, and the time limit of each step. Does not own: the steps of partition changes
//! (`partition_changes`, `partition_openings`, `fencing`) and of snapshots (`snapshots`).
//! Invariants: (1) After the worker has opened a partition, the shard processes each record from the start offset on
//! once and in order. (2) A record that is not an event never stops the worker. (3) The worker does not skip a record
//! that causes a [`Halt`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use windrow_core::EventTime;

use super::clock_reading::ClockReading;
use super::idle_partitions::advance_watermark;
use super::partition_change_queue::PendingPartitionChange;
use super::partition_phase::TrackedPartition;
use super::record_key_check::RecordKeyOutcome;
use super::row_emitter::RowEmitter;
use super::state::{Worker, WorkerOutcome};
use crate::checkpoint::{CheckpointThreadHandle, PartitionOpener};
use crate::halt::OutputFault;
use crate::metrics::LateArrival;
use crate::{
    CommitWait, DeadLetter, DeadLetterSink, FlushTicket, Halt, LateRecord, LogPosition, Offset, OsThreadSpawner,
    Partition, PartitionOffsets, PollOutcome, Sink, Source, ThreadSpawner, TriggerRecord,
};

/// The time between two flushes while records keep arriving.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// The time between two repeated commits of the same offsets.
const RECOMMIT_INTERVAL: Duration = Duration::from_secs(5);
/// The worker measures the processing time of a record if the record's offset and this mask have no bit in common. This
/// applies to one offset in 64.
const TIMING_SAMPLE_MASK: Offset = 63;
/// The maximum time that a stopping worker waits for the row store to acknowledge its rows. Also the time limit for its
/// last checkpoints, counted from the same start.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// The monotonic time and the sink's blocked time at the end of one pass through the worker's loop.
#[derive(Clone, Copy, Debug)]
struct LoopTiming {
    iteration_ended_at: Duration,
    sink_blocked_ns: u64,
}

/// The result of polling the source.
struct PollResult {
    outcome: PollOutcome,
    /// The time that the worker waited for the first record of this poll.
    idle_time: Duration,
}

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Runs until the input ends or a stop is requested. This function does not leave the consumer group; only dropping
    /// the worker does. If one worker left earlier, the group would rebalance before the other workers have saved their
    /// state.
    ///
    /// # Errors
    /// When a fault occurs that no retry resolves.
    pub fn run(&mut self) -> Result<WorkerOutcome, Halt> {
        self.run_with_spawner(Arc::new(OsThreadSpawner))
    }

    /// Runs like [`Self::run`], and starts the checkpoint thread and the opening threads through `spawner`. In a
    /// simulation, the worker and these threads share one thread.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_with_spawner(&mut self, spawner: Arc<dyn ThreadSpawner>) -> Result<WorkerOutcome, Halt> {
        let outcome = self.run_loop(spawner);
        self.metrics.time_use.mark_ended();
        outcome
    }

    fn run_loop(&mut self, spawner: Arc<dyn ThreadSpawner>) -> Result<WorkerOutcome, Halt> {
        if let Some(checkpoints) = &self.checkpoint_config {
            let (config, job, clock) = (checkpoints.clone(), self.job.clone(), Arc::clone(&self.clock));
            self.checkpoint_thread =
                Some(CheckpointThreadHandle::start_thread(&*spawner, config.clone(), job.clone(), Arc::clone(&clock))?);
            self.partition_opener = Some(PartitionOpener::new(
                config,
                job,
                clock,
                self.stop_signal.clone(),
                spawner,
                Arc::clone(&self.metrics),
            ));
        }
        let started_at = self.clock.monotonic_now();
        let (mut flushed_at, mut committed_at) = (started_at, started_at);
        let mut timing = LoopTiming { iteration_ended_at: started_at, sink_blocked_ns: self.sink_blocked_ns.get() };
        while !self.stop_signal.is_requested() {
            let polled = self.poll_source();
            // A partition may leave before the metrics are published, and its counts with it.
            self.report_feature_overflows();
            let PollResult { outcome, idle_time: idle } = polled?;
            if self.stop_signal.is_requested() {
                // The worker may already have skipped records of this poll because of the stop request, so it also
                // ignores the poll's outcome. If the outcome was a rebalance, the source completes the rebalance when
                // the source is dropped.
                break;
            }
            let now = self.clock.monotonic_now();
            timing = self.record_loop_timing(timing, now, idle);
            if outcome == PollOutcome::Idle || now.saturating_sub(flushed_at) >= FLUSH_INTERVAL {
                flushed_at = now;
                self.sink.start_flush()?;
                self.write_refused_rows_as_dead_letters()?;
                self.publish_due_metrics(now);
            }
            if now.saturating_sub(committed_at) >= RECOMMIT_INTERVAL {
                committed_at = now;
                self.recommit_offsets()?;
            }
            match outcome {
                PollOutcome::Records | PollOutcome::Idle => {}
                PollOutcome::Assigned(partitions) => {
                    self.pending_partition_changes.push_back(PendingPartitionChange::Assign(partitions));
                }
                PollOutcome::Revoked(partitions) => {
                    self.pending_partition_changes.push_back(PendingPartitionChange::Release(partitions));
                }
                PollOutcome::Lost(partitions) => self.drop_lost_partitions(&partitions)?,
                PollOutcome::OffsetsSkipped(partitions) => self.restart_row_counting_after_gaps(&partitions),
                PollOutcome::OffsetsLost(lost) => self.park_partitions_with_lost_offsets(lost)?,
                PollOutcome::LogTruncated(truncated) => self.go_back_behind_truncation(truncated)?,
                PollOutcome::PartitionsAdded { partition_count } => self.follow_added_partitions(partition_count),
                PollOutcome::PartitionFinished(partition) => self.fire_remaining_windows(partition),
                PollOutcome::InputExhausted => return self.shut_down(WorkerOutcome::InputExhausted),
            }
            self.advance_idle_partitions(now);
            self.check_fences_of_open_partitions(now)?;
            self.handle_checkpoint_events()?;
            self.advance_snapshots()?;
            self.advance_partition_changes()?;
        }
        self.shut_down(WorkerOutcome::Stopped)
    }

    /// Commits the offsets of the last checkpoints again, because the earlier commit may have failed, for example
    /// during a rebalance. Without a repeated commit, a partition without new records could show a consumer lag
    /// forever.
    fn recommit_offsets(&mut self) -> Result<(), Halt> {
        let offsets = self.last_checkpoint_offsets();
        if offsets.is_empty() { Ok(()) } else { self.source.commit_offsets(&offsets, CommitWait::Background) }
    }

    /// Returns the offset of each partition's last complete checkpoint.
    pub(super) fn last_checkpoint_offsets(&self) -> PartitionOffsets {
        let offset = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            Some((partition, tracked.owned_partition()?.checkpoint_progress.checkpoint_offset?))
        };
        self.partitions.iter().filter_map(offset).collect()
    }

    /// Adds the busy and idle time of one pass through the worker's loop to the metrics. `idle` is the time for which
    /// this pass waited for records. Returns the value of `previous` for the next call.
    fn record_loop_timing(&self, previous: LoopTiming, now: Duration, idle: Duration) -> LoopTiming {
        let sink_blocked_ns = self.sink_blocked_ns.get();
        let blocked = Duration::from_nanos(sink_blocked_ns.saturating_sub(previous.sink_blocked_ns));
        let busy = now.saturating_sub(previous.iteration_ended_at).saturating_sub(idle + blocked);
        self.metrics.time_use.record_loop_iteration(busy, idle);
        LoopTiming { iteration_ended_at: now, sink_blocked_ns }
    }

    /// Polls the source once and processes the delivered records.
    fn poll_source(&mut self) -> Result<PollResult, Halt> {
        let timeout = self.choose_poll_timeout();
        let Self {
            job,
            source,
            sink,
            dead_letter_sink,
            clock,
            stop_signal,
            metrics,
            event_recorder: events,
            partitions,
            event_arena: arena,
            sink_blocked_ns,
            ..
        } = self;
        let started_at = clock.monotonic_now();
        let mut first_record_at = None;
        let mut late_views = Vec::new();
        let outcome = source.poll(timeout, &mut |record| {
            if first_record_at.is_none() {
                first_record_at = Some(clock.monotonic_now());
            }
            if stop_signal.is_requested() {
                return Ok(()); // the record is not processed, so the partition's offset does not move
            }
            let Some(owned) = partitions.get_mut(&record.partition).and_then(TrackedPartition::running_partition_mut)
            else {
                return Ok(()); // the source had read ahead, and the worker no longer processes the partition
            };
            while let Some(time) = owned.clock.next_known_advance(record.offset) {
                advance_watermark(owned, time, sink, metrics);
            }
            metrics.records_read.add(1);
            metrics.bytes_read.add(record.payload.map_or(0, |payload| payload.len() as u64));
            arena.reset();
            let sample_started_at = (record.offset & TIMING_SAMPLE_MASK == 0).then(|| clock.monotonic_now());
            let decoded = match record.unreadable_reason {
                None => job.decoder.decode(record.payload, arena).map_err(|error| error.to_string()),
                Some(reason) => Err(reason.to_owned()),
            };
            let accepted = match decoded {
                Ok(event) => {
                    let earlier_records = owned.read_stats.processed_record_count;
                    let check = &mut owned.record_key_check;
                    match check.check_record_key(job, events, &record, event.entity_key, earlier_records)? {
                        RecordKeyOutcome::Accepted => {
                            let read_clocks = || ClockReading::read(&**clock);
                            let max_future_ms = job.clock_rules.max_future_ms;
                            if owned.clock.accepts_event_time(event.time, record.offset, max_future_ms, read_clocks) {
                                Ok(event)
                            } else {
                                metrics.future_events.add(1);
                                Err(describe_future_event(event.time, owned.clock.event_time_limit()))
                            }
                        }
                        RecordKeyOutcome::Refused { reason } => Err(reason),
                    }
                }
                Err(reason) => Err(reason),
            };
            match accepted {
                Ok(event) => {
                    let sample =
                        sample_started_at.map(|started| (started, clock.monotonic_now(), sink_blocked_ns.get()));
                    let watermark = owned.shard.watermark();
                    let event_time_ms = event.time.ms();
                    if record.payload.is_some_and(|payload| payload.len() > job.schema.max_field_bytes()) {
                        metrics.oversized_texts.add(job.count_oversized_texts(&event));
                    }
                    if let Some(setting) = job.decoder.suggest_time_setting(event.time, record.timestamp_ms) {
                        events.record_misread_event_time(&record, event.time, &setting);
                    }
                    let trigger = TriggerRecord {
                        event_time_ms: Some(event_time_ms),
                        record_timestamp_ms: record.timestamp_ms,
                        next_position: LogPosition { offset: record.offset + 1, leader_epoch: record.leader_epoch },
                    };
                    owned.shard.process_event(
                        &event,
                        &mut RowEmitter {
                            fence_token: owned.fence_token,
                            last_written_row_number_by_view: &owned.row_numbering.last_written_row_number_by_view,
                            sink,
                            metrics,
                            trigger_record: Some(trigger),
                            sink_has_trigger_record: false,
                            clock: &mut owned.clock,
                            late_views: &mut late_views,
                        },
                    );
                    if let Some((started, decoded, blocked_ns)) = sample {
                        let blocked = Duration::from_nanos(sink_blocked_ns.get().saturating_sub(blocked_ns));
                        let windows = clock.monotonic_now().saturating_sub(decoded).saturating_sub(blocked);
                        metrics.time_use.record_timing_sample(decoded.saturating_sub(started), windows);
                    }
                    if !late_views.is_empty() {
                        let watermark_ms = watermark.map(EventTime::ms);
                        metrics.late_events.add(1);
                        dead_letter_sink.write_late_record(LateRecord {
                            source_topic: &job.topic,
                            record,
                            job_views: &job.views,
                            late_views: &late_views,
                            event_time_ms,
                            watermark_ms: watermark_ms.unwrap_or(event_time_ms),
                        })?;
                        events.keep_recent_late_event(LateArrival {
                            source_record: &record,
                            entity_key: event.entity_key,
                            event_time_ms,
                            watermark_ms,
                            late_views: &late_views,
                        });
                        late_views.clear();
                    }
                }
                Err(reason) => {
                    let letter = DeadLetter { source_topic: &job.topic, record, reason: &reason };
                    events.record_dead_letter(&letter);
                    dead_letter_sink.write_record(letter)?;
                }
            }
            owned.next_offset = Some(record.offset + 1);
            owned.leader_epoch = record.leader_epoch;
            owned.read_stats.processed_record_count += 1;
            owned.read_stats.last_record_timestamp_ms = record.timestamp_ms;
            Ok(())
        })?;
        let idle = first_record_at.unwrap_or_else(|| clock.monotonic_now()).saturating_sub(started_at);
        Ok(PollResult { outcome, idle_time: idle })
    }

    /// Restarts the row counting of partitions in which the source skipped records. Another run may have read the
    /// skipped records, and then numbers its rows differently.
    fn restart_row_counting_after_gaps(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(owned) = self.partitions.get_mut(partition).and_then(TrackedPartition::owned_partition_mut) {
                // Stored fingerprints are hashes that include this text, so the text must never change.
                owned.restart_row_counting("a jump");
            }
        }
    }

    /// Applies the rules of a topic with `partition_count` partitions to later records. With the second partition, records
    /// need keys. Another run may accept records without a key that this run refuses, and then numbers its rows
    /// differently.
    fn follow_added_partitions(&mut self, partition_count: Partition) {
        let required_keys_before = self.job.record_placement.requires_record_keys();
        self.job.record_placement.partition_count = partition_count;
        if required_keys_before || !self.job.record_placement.requires_record_keys() {
            return;
        }
        self.event_recorder.record_keys_required(partition_count, self.job.schema.entity_key_name());
        self.keys_became_required = true;
        for owned in self.partitions.values_mut().filter_map(TrackedPartition::owned_partition_mut) {
            owned.restart_row_counting_for_required_keys();
        }
    }

    /// Fires all open windows of a partition whose bounded input has ended. The partition's watermark advances to +∞.
    fn fire_remaining_windows(&mut self, partition: Partition) {
        let Self { sink, metrics, partitions, .. } = self;
        let Some(owned) = partitions.get_mut(&partition).and_then(TrackedPartition::owned_partition_mut) else {
            return;
        };
        owned.shard.finish_input(&mut RowEmitter {
            fence_token: owned.fence_token,
            last_written_row_number_by_view: &owned.row_numbering.last_written_row_number_by_view,
            sink,
            metrics,
            trigger_record: None,
            sink_has_trigger_record: false,
            clock: &mut owned.clock,
            late_views: &mut Vec::new(),
        });
        owned.input_finished = true;
        self.report_feature_overflows();
    }

    /// Writes a dead letter for each row that the row store refused. A checkpoint may complete only after these dead
    /// letters are stored.
    pub(super) fn write_refused_rows_as_dead_letters(&mut self) -> Result<(), Halt> {
        let refused = self.sink.take_refused_rows();
        if refused.is_empty() {
            return Ok(());
        }
        self.event_recorder.record_rows_refused(&refused);
        refused.iter().try_for_each(|row| self.dead_letter_sink.write_refused_row(row))?;
        self.dead_letter_sink.flush()
    }

    /// Flushes all output, takes the last checkpoints and releases all partitions.
    fn shut_down(&mut self, outcome: WorkerOutcome) -> Result<WorkerOutcome, Halt> {
        self.dead_letter_sink.flush()?;
        let last_flush = self.sink.start_flush()?;
        let ticket = self.sink.newest_flush_with_rows(last_flush);
        let deadline = self.clock.monotonic_now() + STOP_TIMEOUT;
        let written = self.wait_for_acknowledged_rows(ticket)?;
        self.write_refused_rows_as_dead_letters()?;
        self.handle_lost_partitions()?;
        let partitions = self.list_unfinished_partitions();
        if outcome == WorkerOutcome::InputExhausted && !partitions.is_empty() {
            return Err(OutputFault::UnfinishedPartitions { partitions }.into());
        }
        let saved = written && self.take_final_checkpoints(outcome, deadline)?;
        let now = self.clock.monotonic_now();
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

    /// Returns the partitions whose bounded input this worker has not completely processed.
    fn list_unfinished_partitions(&self) -> Vec<Partition> {
        let unfinished = self.partitions.iter().filter(|(_, tracked)| !tracked.is_input_finished());
        unfinished.map(|(&partition, _)| partition).collect()
    }

    /// Waits until `ticket` is acknowledged. After a stop request, waits at most [`STOP_TIMEOUT`]. Returns whether the
    /// ticket is acknowledged.
    fn wait_for_acknowledged_rows(&mut self, ticket: FlushTicket) -> Result<bool, Halt> {
        while !self.stop_signal.is_requested() {
            if self.sink.wait_for_ticket(ticket, FLUSH_INTERVAL)? {
                return Ok(true);
            }
        }
        self.sink.wait_for_ticket(ticket, STOP_TIMEOUT)
    }

    /// Publishes the totals of all shards. Also publishes the status of every partition, at most once per
    /// [`FLUSH_INTERVAL`].
    fn publish_due_metrics(&mut self, now: Duration) {
        self.publish_shard_totals(now);
        if self.statuses_published_at.is_none_or(|published| now.saturating_sub(published) >= FLUSH_INTERVAL) {
            self.publish_partition_statuses(now);
        }
    }

    fn publish_all_metrics(&mut self, now: Duration) {
        self.publish_shard_totals(now);
        self.publish_partition_statuses(now);
    }

    fn publish_shard_totals(&self, now: Duration) {
        let owned = || self.partitions.values().filter_map(TrackedPartition::owned_partition);
        let watermark = owned().map(|owned| owned.shard.watermark()).min().flatten();
        let entities = owned().map(|owned| owned.shard.entity_count()).sum();
        self.metrics.set_shard_totals(owned().count(), entities, watermark);
        let oldest = owned().map(|owned| now.saturating_sub(owned.checkpoint_progress.cut_at)).max();
        self.metrics.checkpoint_metrics.set_longest_time_since_checkpoint(oldest);
    }

    /// Counts and reports the overflows of sums since the last call.
    fn report_feature_overflows(&mut self) {
        let Self { job, partitions, event_recorder, .. } = self;
        for owned in partitions.values_mut().filter_map(TrackedPartition::owned_partition_mut) {
            for overflow in owned.shard.take_overflow_counts() {
                event_recorder.record_feature_overflow(&job.views[overflow.view_id.0], overflow);
            }
        }
    }

    fn publish_partition_statuses(&mut self, now: Duration) {
        self.statuses_published_at = Some(now);
        self.event_recorder.refill_recording_budget();
        let wall_now_ms = self.clock.wall_now_ms();
        // A partition counts as parked until an attempt has opened it.
        self.event_recorder.forget_unparked_partitions(|partition| {
            self.partitions.get(&partition).is_some_and(|tracked| tracked.owned_partition().is_none())
        });
        let owned = self.partitions.values_mut().filter_map(TrackedPartition::owned_partition_mut);
        self.metrics.partition_statuses.publish(owned.map(|owned| owned.build_status(&self.job, wall_now_ms)));
        let mut entities_by_view = vec![0; self.metrics.view_metrics.len()];
        for owned in self.partitions.values().filter_map(TrackedPartition::owned_partition) {
            let counts = owned.shard.entity_counts_by_view();
            entities_by_view.iter_mut().zip(counts).for_each(|(sum, entities)| *sum += entities as u64);
        }
        for (view, entities) in self.metrics.view_metrics.iter().zip(entities_by_view) {
            view.entity_count.store(entities, Ordering::Relaxed);
        }
    }
}

/// Returns the reason for which an event is refused whose time is later than `limit`.
#[cold]
fn describe_future_event(time: EventTime, limit: Option<EventTime>) -> String {
    let text =
        |time: EventTime| Timestamp::from_millisecond(time.ms()).map_or_else(|_| time.to_string(), |at| at.to_string());
    let limit = limit.map_or_else(String::new, |limit| format!("; the latest accepted time is {} now", text(limit)));
    format!("the event time {} is too far in the future (`max_future` in [watermark]){limit}", text(time))
}
