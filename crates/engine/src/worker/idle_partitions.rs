//! Idle partitions: their watermarks follow the wall clock, so their windows close without a next event.
//!
//! Owns: the finding that a partition is idle. Does not own: repeating it after a restart (`partition_clock`), and asking
//! the broker (the source).
//! A partition is idle if the worker has processed no record of it for the idle timeout, and if the source confirms
//! afterwards that all records have been delivered that existed when it was asked. So a slow broker, a partition that is not
//! read, a rebalance, and a process that was suspended are no idleness.
//! Invariants: (1) The wall clock is read before the source is asked. The watermark stays behind this moment by the allowed
//! out-of-orderness. (2) While a partition is idle, its watermark advances no faster than the monotonic clock: a wall clock
//! that is set forward closes no window.

use std::collections::BTreeMap;
use std::time::Duration;

use windrow_core::EventTime;

use super::clock_reading::{ClockReading, LastActivity};
use super::end_check_state::PendingEndCheck;
use super::owned_partition::OwnedPartition;
use super::partition_phase::TrackedPartition;
use super::row_emitter::RowEmitter;
use super::state::Worker;
use crate::{ClockRules, DeadLetterSink, LogPosition, Partition, Sink, Source, TriggerRecord, WorkerMetrics};

/// The time between two questions to the source. The watermark of an idle partition advances in such steps.
const END_CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// If the idle timeout is the default, the clock does not concern partitions whose watermark was further behind it when the
/// last record was processed: they hold history, and more of it may follow.
const MAX_LIVE_WATERMARK_AGE_MS: i64 = 24 * 60 * 60 * 1_000;

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Advances the watermarks of idle partitions. Also repeats the known advances after the last record of a partition.
    pub(super) fn advance_idle_partitions(&mut self, now: Duration) {
        self.repeat_known_advances();
        if self.job.clock_rules.idle_timeout.is_none() || now < self.idle_check.next_question_at {
            return;
        }
        let reading = self.read_both_clocks();
        for owned in self.partitions.values_mut().filter_map(TrackedPartition::running_partition_mut) {
            owned.note_activity(reading);
        }
        if self.idle_check.pending.is_some() {
            let Some(read_to_end) = self.source.take_end_check() else { return };
            if let Some(check) = self.idle_check.pending.take() {
                self.advance_after_end_check(&check, &read_to_end);
            }
        }
        self.idle_check.next_question_at = now + END_CHECK_INTERVAL;
        let rules = &self.job.clock_rules;
        let is_candidate = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            let owned = tracked.running_partition()?;
            let state = (owned.fence_token, owned.read_stats.processed_record_count);
            is_idle_candidate(owned, rules, reading).then_some((partition, state))
        };
        let states: BTreeMap<_, _> = self.partitions.iter().filter_map(is_candidate).collect();
        if !states.is_empty() {
            self.source.request_end_check(&states.keys().copied().collect::<Vec<_>>());
            self.idle_check.pending = Some(PendingEndCheck { asked_at: reading, states });
        }
    }

    fn advance_after_end_check(&mut self, check: &PendingEndCheck, read_to_end: &[Partition]) {
        let Self { job, sink, metrics, partitions, .. } = self;
        for partition in read_to_end {
            let Some(owned) = partitions.get_mut(partition).and_then(TrackedPartition::running_partition_mut) else {
                continue;
            };
            let state = (owned.fence_token, owned.read_stats.processed_record_count);
            let Some(next_offset) = owned.next_offset.filter(|_| check.states.get(partition) == Some(&state)) else {
                continue; // records have arrived since, or the partition was opened again
            };
            let quiet = check.asked_at.monotonic_now.saturating_sub(owned.last_activity.noticed_at.monotonic_now);
            let quiet_ms = i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
            let by_monotonic_clock = owned.last_activity.noticed_at.wall_now_ms.saturating_add(quiet_ms);
            let idle_now_ms = check.asked_at.wall_now_ms.min(by_monotonic_clock).min(EventTime::LATEST.ms());
            let time = EventTime::from_ms(idle_now_ms - job.max_out_of_orderness_ms - 1);
            owned.follows_clock = true;
            if owned.shard.watermark() < Some(time) {
                owned.clock.record_advance(next_offset, time);
                advance_watermark(owned, time, sink, metrics);
            }
        }
    }

    fn repeat_known_advances(&mut self) {
        let Self { sink, metrics, partitions, .. } = self;
        for owned in partitions.values_mut().filter_map(TrackedPartition::running_partition_mut) {
            let Some(next_offset) = owned.next_offset else { continue };
            while let Some(time) = owned.clock.next_known_advance(next_offset) {
                advance_watermark(owned, time, sink, metrics);
            }
        }
    }
}

/// Advances the watermark of a partition because of a decision of the clock, and emits the rows.
pub(super) fn advance_watermark(
    owned: &mut OwnedPartition,
    time: EventTime,
    sink: &mut impl Sink,
    metrics: &WorkerMetrics,
) {
    let next_position = owned.next_offset.map(|offset| LogPosition { offset, leader_epoch: owned.leader_epoch });
    let mut emitter = RowEmitter {
        fence_token: owned.fence_token,
        last_written_row_number_by_view: &owned.row_numbering.last_written_row_number_by_view,
        sink,
        metrics,
        trigger_record: next_position.map(TriggerRecord::without_record),
        sink_has_trigger_record: false,
        clock: &mut owned.clock,
        late_views: &mut Vec::new(),
    };
    owned.shard.advance_watermark(time, &mut emitter);
}

/// Returns whether nothing has come for the idle timeout, so that the source can be asked.
fn is_idle_candidate(owned: &OwnedPartition, rules: &ClockRules, now: ClockReading) -> bool {
    let Some(timeout) = rules.idle_timeout else { return false };
    let (Some(next_offset), Some(watermark)) = (owned.next_offset, owned.shard.watermark()) else {
        return false; // without events there is no window to close
    };
    let LastActivity { noticed_at, .. } = owned.last_activity;
    let is_quiet = now.monotonic_now.saturating_sub(noticed_at.monotonic_now) >= timeout.duration;
    let is_live = noticed_at.wall_now_ms.saturating_sub(watermark.ms()) <= MAX_LIVE_WATERMARK_AGE_MS;
    is_quiet && (is_live || timeout.includes_history) && !owned.input_finished && owned.clock.has_caught_up(next_offset)
}
