//! Opens the worker's partitions, each on its own: the opening thread restores the shard and claims the partition at the
//! fence, and then the worker begins to read the partition.
//!
//! Owns: the worker's part of each opening, from the phase `Assigned` to the phase `Running`. Does not own: the steps of
//! the opening thread and their number at once (`checkpoint/opening_thread.rs`, `checkpoint/partition_opener.rs`), the
//! answer to the consumer group (`partition_changes`).
//! Invariants: (1) The source delivers no record of a partition between its assignment and the granted claim. (2) A slow
//! or failed opening delays no other partition. (3) The openings of one partition follow each other: the phase of a
//! partition holds its only opening.

use std::collections::BTreeMap;
use std::time::Duration;

use super::owned_partition::OwnedPartition;
use super::partition_phase::{RestoredOffset, TrackedPartition};
use super::state::Worker;
use crate::checkpoint::{CheckpointCommand, OpenedPartition, OpeningAnswer, OpeningCommand, StoreFaultExtent};
use crate::{DeadLetterSink, FenceToken, Halt, Offset, Partition, PartitionOffsets, Sink, Source, StartOffset};

/// The worker asks the source at most for this share of its time where reading starts: the source may wait for a broker that
/// does not answer, and meanwhile the worker processes no records.
const OFFSET_LOOKUP_TIME_DIVISOR: u32 = 5;

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Responds to the answers of the opening threads, and begins to open assigned partitions.
    pub(super) fn advance_openings(&mut self) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        let mut opened_partitions = Vec::new();
        for (partition, answer) in self.receive_opening_answers()? {
            match answer {
                OpeningAnswer::Restored { checkpoint_offset } => {
                    if let Some(tracked) = self.partitions.get_mut(&partition) {
                        tracked.mark_restored(RestoredOffset(checkpoint_offset), now)?;
                    }
                }
                OpeningAnswer::Opened(opened) => opened_partitions.push(*opened),
                OpeningAnswer::Overtaken { newer_epoch } => {
                    let start = self.partitions.get(&partition).and_then(TrackedPartition::claimed_start_offset);
                    self.mark_partition_fenced(partition, newer_epoch, start)?;
                }
                // A stop also interrupts the opening threads.
                OpeningAnswer::Failed { .. } if self.stop_signal.is_requested() => {}
                OpeningAnswer::Failed { fault, extent } => self.park_or_halt(partition, fault, extent)?,
            }
        }
        self.run_opened_partitions(opened_partitions, now)?;
        self.request_fence_claims(now)?;
        self.reopen_parked_partitions(now)?;
        self.start_openings(now)
    }

    /// Returns how long the newest step of an opening has taken so far; `None` if no partition is being opened.
    pub(super) fn newest_opening_step_duration(&self) -> Option<Duration> {
        let now = self.clock.monotonic_now();
        let opening = self.partitions.values().filter(|tracked| tracked.partition_opening().is_some());
        opening.map(|tracked| tracked.time_in_phase(now)).min()
    }

    fn receive_opening_answers(&self) -> Result<Vec<(Partition, OpeningAnswer)>, Halt> {
        let mut answers = Vec::new();
        for (&partition, tracked) in &self.partitions {
            let Some(opening) = tracked.partition_opening() else { continue };
            match opening.try_receive_answer() {
                Ok(answer) => answers.extend(answer.map(|answer| (partition, answer))),
                // The thread has ended because of the stop.
                Err(_) if self.stop_signal.is_requested() => {}
                Err(halt) => return Err(halt),
            }
        }
        Ok(answers)
    }

    /// Begins to open assigned partitions, as many as can be opened at once.
    fn start_openings(&mut self, now: Duration) -> Result<(), Halt> {
        let is_assigned = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            (tracked.may_begin_opening(now) && !self.is_being_released(partition)).then_some(partition)
        };
        let assigned: Vec<Partition> = self.partitions.iter().filter_map(is_assigned).collect();
        if assigned.is_empty() || !self.is_group_member() {
            return Ok(());
        }
        let Some(opener) = &self.partition_opener else { return self.run_without_checkpoints(&assigned, now) };
        for partition in assigned {
            let Some(opening) = opener.start_opening(partition) else { break };
            if let Some(tracked) = self.partitions.get_mut(&partition) {
                tracked.start_opening(opening, now)?;
            }
        }
        Ok(())
    }

    /// Runs assigned partitions of a job without checkpoints. The worker has nothing to restore or claim.
    fn run_without_checkpoints(&mut self, partitions: &[Partition], now: Duration) -> Result<(), Halt> {
        let starts = self.source.resolve_start_offsets(partitions, &PartitionOffsets::new())?;
        if let Some((_, lost)) = starts.lost_offsets.first_key_value() {
            return Err(lost.clone().into());
        }
        let start_offsets = starts.known_offsets();
        self.source.start_partitions(partitions, &start_offsets)?;
        let clock = self.read_both_clocks();
        for &partition in partitions {
            let fence_token = FenceToken { partition, epoch: 0 };
            let start = start_offsets.get(&partition).copied();
            let owned = OwnedPartition::new_without_checkpoints(self.job.new_shard(), fence_token, start, clock);
            if let Some(tracked) = self.partitions.get_mut(&partition) {
                tracked.start_running(owned, now)?;
            }
        }
        Ok(())
    }

    /// Asks the opening threads to claim the restored partitions at the fence of the row store. If the source has lost
    /// records of a partition that were already read, asks for an older checkpoint instead.
    fn request_fence_claims(&mut self, now: Duration) -> Result<(), Halt> {
        let restored = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            tracked.restored_offset().map(|RestoredOffset(offset)| (partition, offset))
        };
        let restored: Vec<(Partition, Option<Offset>)> = self.partitions.iter().filter_map(restored).collect();
        if restored.is_empty() || now < self.next_offset_lookup_at {
            return Ok(());
        }
        let partitions: Vec<Partition> = restored.iter().map(|&(partition, _)| partition).collect();
        let known = |&(partition, offset): &(Partition, Option<Offset>)| Some((partition, offset?));
        let checkpoint_offsets: PartitionOffsets = restored.iter().filter_map(known).collect();
        let starts = self.source.resolve_start_offsets(&partitions, &checkpoint_offsets)?;
        let answered_at = self.clock.monotonic_now();
        let duration = answered_at.saturating_sub(now);
        self.next_offset_lookup_at = answered_at + duration * (OFFSET_LOOKUP_TIME_DIVISOR - 1);
        for partition in partitions {
            let earlier_loss = self.partitions.get(&partition).and_then(|tracked| tracked.lost_records.clone());
            if let Some(lost) = earlier_loss.or_else(|| starts.lost_offsets.get(&partition).cloned()) {
                self.park_or_halt(partition, lost.into(), StoreFaultExtent::OnePartition)?;
                continue;
            }
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            let start: Option<StartOffset> = starts.start_by_partition.get(&partition).copied();
            if let Some(&held_now) = starts.truncated_partitions.get(&partition) {
                tracked.mark_log_truncated(held_now);
            }
            if let Some(held_after_truncation) = tracked.take_truncation() {
                // Other records may have been added since. Checkpoints beyond them contain the lost records.
                let held_now = start.and_then(|start| start.held_offsets).unwrap_or(held_after_truncation);
                let held_offsets = held_now.ending_no_later_than(held_after_truncation);
                tracked.mark_restore_pending();
                tracked.send_opening_command(OpeningCommand::RestoreBehindTruncation { held_offsets })?;
            } else {
                tracked.send_opening_command(OpeningCommand::ClaimFence { start })?;
                tracked.start_claiming(start.map(|start| start.offset), now)?;
            }
        }
        Ok(())
    }

    /// Begins to read the `opened` partitions.
    fn run_opened_partitions(&mut self, opened: Vec<OpenedPartition>, now: Duration) -> Result<(), Halt> {
        if opened.is_empty() {
            return Ok(());
        }
        let partitions: Vec<Partition> = opened.iter().map(|opened| opened.fence_token.partition).collect();
        let start = |partition: &Partition| Some((*partition, self.partitions.get(partition)?.claimed_start_offset()?));
        let start_offsets: PartitionOffsets = partitions.iter().filter_map(start).collect();
        let position = |opened: &OpenedPartition| Some((opened.fence_token.partition, opened.read_position()?));
        self.source.note_start_positions(&opened.iter().filter_map(position).collect());
        self.source.start_partitions(&partitions, &start_offsets)?;
        let (clock, interval) = (self.read_both_clocks(), self.checkpoint_interval());
        for mut opened in opened {
            let partition = opened.fence_token.partition;
            if let Some(thread) = &self.checkpoint_thread {
                let partition_checkpoints = Box::new(std::mem::take(&mut opened.partition_checkpoints));
                thread.send_command(CheckpointCommand::TrackPartition { partition, partition_checkpoints })?;
            }
            self.event_recorder.record_partition_opened(&opened);
            let start = opened.next_offset;
            let mut owned = OwnedPartition::new(opened, clock, interval);
            if self.keys_became_required {
                // The checkpoint thread numbers rows by the rules with which the worker began.
                owned.restart_row_counting_for_required_keys();
            }
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            tracked.start_running(owned, now)?;
            self.store_findings.iter().for_each(|findings| findings.note_opened(partition, now));
            // The source may have lost records after the position was checked. A loss behind the position needs nothing.
            let lost = tracked.take_truncation();
            if let Some(held) = lost.filter(|held| start.is_none_or(|start| held.end_offset < start)) {
                self.go_back_behind_truncation(BTreeMap::from([(partition, held)]))?;
            }
        }
        Ok(())
    }
}
