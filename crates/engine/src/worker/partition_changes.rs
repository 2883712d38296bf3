//! Handles partitions that the group assigns to this worker or revokes.
//!
//! Owns: the work between an announcement of the group and the worker's response. That work opens partitions through
//! the checkpoint thread, or takes last checkpoints before a release. Does not own: the group (the source), partitions
//! that another worker has claimed (`fencing`).
//! Invariants: (1) Announcements are handled one after another, in their order. (2) The records of the other partitions
//! are processed at the same time. (3) A released partition gets a last checkpoint if that is possible within
//! [`RELEASE_TIMEOUT`]. (4) After the timeout, the partition is released without one, and the next owner fences this
//! worker.

use std::collections::btree_map::Entry;
use std::time::Duration;

use super::change_queue::{ActiveChange, OpeningBatch, PendingChange, ReleasingBatch};
use super::owned_partition::OwnedPartition;
use super::partition_phase::{OpenReason, PartitionPhase, RestoreProgress, TrackedPartition};
use super::state::Worker;
use crate::checkpoint::{CheckpointCommand, OpenOutcome};
use crate::{CommitWait, DeadLetterSink, FenceToken, Halt, Offset, Partition, PartitionOffsets, Sink, Source};

/// The maximum time that a release waits for last checkpoints.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(15);

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Queues the opening of partitions that the group has assigned.
    pub(super) fn queue_assignment(&mut self, partitions: Vec<Partition>) {
        let now = self.clock.now();
        for &partition in &partitions {
            self.partitions.entry(partition).or_insert_with(|| TrackedPartition::new_assigned(partition, now));
        }
        self.pending_changes.push_back(PendingChange::Open(partitions));
    }

    /// Advances the change in progress, or starts the next pending one.
    pub(super) fn advance_partition_changes(&mut self) -> Result<(), Halt> {
        self.reclaim_fenced_partition()?;
        let now = self.clock.now();
        match self.active_change.take() {
            None => match self.pending_changes.pop_front() {
                Some(change) => self.start_change(change, now),
                None => Ok(()),
            },
            Some(ActiveChange::Opening(batch)) => self.advance_opening(batch, now),
            Some(ActiveChange::Releasing(batch)) => {
                if self.advance_final_checkpoints()? || now >= batch.deadline {
                    self.finish_release(&batch.partitions, now)
                } else {
                    self.active_change = Some(ActiveChange::Releasing(batch));
                    Ok(())
                }
            }
        }
    }

    fn start_change(&mut self, change: PendingChange, now: Duration) -> Result<(), Halt> {
        match change {
            PendingChange::Open(partitions) => {
                for &partition in &partitions {
                    self.mark_assigned(partition, now)?;
                }
                if !partitions.is_empty() {
                    self.event_reporter.report_partitions_assigned(&partitions);
                }
                self.open_partitions(partitions, OpenReason::NewAssignment, now)
            }
            PendingChange::Restart(partition) => {
                let waits = self.partitions.get(&partition).is_some_and(|tracked| {
                    matches!(tracked.phase(), PartitionPhase::Assigned { reason: OpenReason::Restart })
                });
                if waits { self.open_partitions(vec![partition], OpenReason::Restart, now) } else { Ok(()) }
            }
            PendingChange::Release(partitions) => self.start_release(partitions, now),
            PendingChange::DropLost(partitions) => {
                self.event_reporter.report_partitions_lost(&partitions);
                for &partition in &partitions {
                    self.abandon_snapshot(partition)?;
                    self.remove_partition(partition, now)?;
                }
                self.cancel_pending_restarts(&partitions);
                self.source.release_partitions(&partitions)
            }
        }
    }

    /// Resets an assigned partition to the first phase, even if it was fenced before.
    fn mark_assigned(&mut self, partition: Partition, now: Duration) -> Result<(), Halt> {
        self.abandon_snapshot(partition)?;
        match self.partitions.entry(partition) {
            Entry::Vacant(vacant) => drop(vacant.insert(TrackedPartition::new_assigned(partition, now))),
            Entry::Occupied(mut occupied) => {
                let tracked = occupied.get_mut();
                tracked.assign_again(OpenReason::NewAssignment, now)?;
                tracked.fence_history = Default::default();
            }
        }
        Ok(())
    }

    fn open_partitions(&mut self, partitions: Vec<Partition>, reason: OpenReason, now: Duration) -> Result<(), Halt> {
        let Some(checkpoint_thread) = &self.checkpoint_thread else {
            let start_offsets = self.source.resolve_start_offsets(&partitions, &PartitionOffsets::new())?;
            self.source.start_partitions(&partitions, &start_offsets)?;
            let clock = self.read_both_clocks();
            for partition in partitions {
                let fence_token = FenceToken { partition, epoch: 0 };
                let start = start_offsets.get(&partition).copied();
                let owned = OwnedPartition::without_checkpoints(self.job.new_shard(), fence_token, start, clock);
                if let Some(tracked) = self.partitions.get_mut(&partition) {
                    tracked.start_running(owned, now)?;
                }
            }
            return Ok(());
        };
        for &partition in &partitions {
            checkpoint_thread.send_command(CheckpointCommand::RestorePartition(partition))?;
            if let Some(tracked) = self.partitions.get_mut(&partition) {
                tracked.start_opening(reason, now)?;
            }
        }
        self.active_change = Some(ActiveChange::Opening(OpeningBatch { partitions, reason, start_offsets: None }));
        Ok(())
    }

    fn advance_opening(&mut self, mut batch: OpeningBatch, now: Duration) -> Result<(), Halt> {
        if batch.start_offsets.is_none()
            && let Some(restored) = self.collect_restored_offsets(&batch)
        {
            batch.start_offsets = Some(self.claim_partitions(&batch, &restored, now)?);
        }
        let Some(start_offsets) = batch.start_offsets.as_ref().filter(|_| !self.awaits_checkpoint_thread(&batch))
        else {
            self.active_change = Some(ActiveChange::Opening(batch));
            return Ok(());
        };
        match batch.reason {
            OpenReason::Restart => self.source.seek_partitions(start_offsets)?,
            OpenReason::NewAssignment => self.source.start_partitions(&batch.partitions, start_offsets)?,
        }
        let (clock, interval) = (self.read_both_clocks(), self.checkpoint_interval());
        for partition in batch.partitions {
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            // A partition that another worker has claimed in the meantime has no claim to take.
            let Some(opened) = tracked.take_claimed_partition() else { continue };
            self.event_reporter.report_partition_opened(&opened);
            tracked.start_running(OwnedPartition::new(*opened, clock, interval), now)?;
        }
        Ok(())
    }

    /// Returns the offsets of the checkpoints that the shards were restored from; `None` until all shards of `batch`
    /// are restored.
    fn collect_restored_offsets(&self, batch: &OpeningBatch) -> Option<PartitionOffsets> {
        let mut offsets = PartitionOffsets::new();
        for &partition in &batch.partitions {
            match self.partitions.get(&partition)?.phase() {
                PartitionPhase::Opening { progress: RestoreProgress::Restored { checkpoint_offset }, .. } => {
                    offsets.extend(checkpoint_offset.map(|offset| (partition, offset)));
                }
                _ => return None,
            }
        }
        Some(offsets)
    }

    /// Resolves the start offsets with the source, requests the claims at the fence, and returns the start offsets.
    fn claim_partitions(
        &mut self,
        batch: &OpeningBatch,
        restored: &PartitionOffsets,
        now: Duration,
    ) -> Result<PartitionOffsets, Halt> {
        let start_offsets = self.source.resolve_start_offsets(&batch.partitions, restored)?;
        for &partition in &batch.partitions {
            let start = start_offsets.get(&partition).copied();
            if let Some(checkpoint_thread) = &self.checkpoint_thread {
                checkpoint_thread.send_command(CheckpointCommand::ClaimFence { partition, start })?;
            }
            if let Some(tracked) = self.partitions.get_mut(&partition) {
                tracked.start_claiming(batch.reason, start, now)?;
            }
        }
        Ok(start_offsets)
    }

    fn awaits_checkpoint_thread(&self, batch: &OpeningBatch) -> bool {
        batch.partitions.iter().filter_map(|partition| self.partitions.get(partition)).any(|tracked| {
            matches!(tracked.phase(), PartitionPhase::Opening { .. } | PartitionPhase::Claiming { claimed: None, .. })
        })
    }

    /// Handles the response to [`CheckpointCommand::RestorePartition`].
    pub(super) fn handle_partition_restored(
        &mut self,
        partition: Partition,
        restored: Result<Option<Offset>, Halt>,
    ) -> Result<(), Halt> {
        if let Some(checkpoint_offset) = self.ignore_error_after_stop(restored)?
            && let Some(tracked) = self.partitions.get_mut(&partition)
        {
            tracked.mark_restored(checkpoint_offset);
        }
        Ok(())
    }

    /// Handles the response to [`CheckpointCommand::ClaimFence`].
    pub(super) fn handle_fence_claimed(
        &mut self,
        partition: Partition,
        claimed: Result<OpenOutcome, Halt>,
    ) -> Result<(), Halt> {
        let claimed = self.ignore_error_after_stop(claimed)?;
        let (Some(claimed), Some(tracked)) = (claimed, self.partitions.get_mut(&partition)) else { return Ok(()) };
        let &PartitionPhase::Claiming { start_offset, .. } = tracked.phase() else { return Ok(()) };
        match claimed {
            OpenOutcome::Opened(opened) => {
                tracked.mark_claimed(opened);
                Ok(())
            }
            OpenOutcome::Overtaken { newer_epoch: epoch } => self.fence_partition(partition, epoch, start_offset),
        }
    }

    /// Returns the result; `None` in place of an error after a stop was requested.
    fn ignore_error_after_stop<T>(&self, result: Result<T, Halt>) -> Result<Option<T>, Halt> {
        match result {
            Err(_) if self.stop_signal.is_requested() => Ok(None),
            result => result.map(Some),
        }
    }

    fn start_release(&mut self, partitions: Vec<Partition>, now: Duration) -> Result<(), Halt> {
        for &partition in &partitions {
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            tracked.fence_history = Default::default();
            if tracked.owned_partition().is_some() {
                tracked.start_draining(now)?;
            } else if matches!(tracked.phase(), PartitionPhase::Fenced { .. }) {
                self.remove_partition(partition, now)?;
            }
        }
        let deadline = now + RELEASE_TIMEOUT;
        self.active_change = Some(ActiveChange::Releasing(ReleasingBatch { partitions, deadline }));
        Ok(())
    }

    /// Releases the partitions, after their last checkpoints are complete or the deadline has passed.
    fn finish_release(&mut self, partitions: &[Partition], now: Duration) -> Result<(), Halt> {
        if !partitions.is_empty() {
            self.event_reporter.report_partitions_released(partitions);
        }
        let mut offsets = PartitionOffsets::new();
        for &partition in partitions {
            self.abandon_snapshot(partition)?;
            let Some(owned) = self.remove_partition(partition, now)? else { continue };
            if owned.has_uncheckpointed_records() {
                self.event_reporter.report_release_without_checkpoint(partition);
            }
            offsets.extend(owned.last_checkpoint.offset.map(|offset| (partition, offset)));
        }
        if !offsets.is_empty() {
            self.source.commit_offsets(&offsets, CommitWait::AwaitAnswer)?;
        }
        self.cancel_pending_restarts(partitions);
        self.source.release_partitions(partitions)
    }

    /// Removes a partition from the worker and returns its data, if it was opened.
    fn remove_partition(&mut self, partition: Partition, now: Duration) -> Result<Option<Box<OwnedPartition>>, Halt> {
        match self.partitions.remove(&partition) {
            Some(mut tracked) => Ok(tracked.release(now)?),
            None => Ok(None),
        }
    }

    fn cancel_pending_restarts(&mut self, partitions: &[Partition]) {
        self.pending_changes
            .retain(|change| !matches!(change, PendingChange::Restart(partition) if partitions.contains(partition)));
    }
}
