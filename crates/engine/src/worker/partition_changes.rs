//! Opens the partitions that the consumer group assigns to this worker, and releases the partitions that the group
//! revokes.
//!
//! Owns: the steps from an assignment or revocation to the worker's answer. The worker opens assigned partitions
//! through the checkpoint thread, and takes last checkpoints of revoked partitions. Does not own: the consumer group
//! (the source), partitions that another worker has claimed (`fencing`).
//! Invariants: (1) The worker handles assignments and revocations one after another, in the order of their arrival. (2)
//! While the worker opens or releases partitions, it still processes the records of its other partitions. (3) A revoked
//! partition is released after its last checkpoint, but at the latest after [`RELEASE_TIMEOUT`]. (4) A worker may
//! release a partition without a last checkpoint. The next owner then claims the partition under a larger epoch, and
//! resumes from the previous checkpoint.

use std::collections::btree_map::Entry;
use std::time::Duration;

use super::owned_partition::OwnedPartition;
use super::partition_change_queue::{ActivePartitionChange, OpeningBatch, PendingPartitionChange, ReleasingBatch};
use super::partition_phase::{OpenReason, PartitionPhase, RestoreProgress, TrackedPartition};
use super::state::Worker;
use crate::checkpoint::{CheckpointCommand, PartitionOpenOutcome};
use crate::{CommitWait, DeadLetterSink, FenceToken, Halt, Offset, Partition, PartitionOffsets, Sink, Source};

/// The maximum time for which the release of partitions waits for their last checkpoints.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(15);

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Adds the opening of newly assigned partitions to the pending changes.
    pub(super) fn queue_assignment(&mut self, partitions: Vec<Partition>) {
        let now = self.clock.monotonic_now();
        for &partition in &partitions {
            self.partitions.entry(partition).or_insert_with(|| TrackedPartition::new_assigned(partition, now));
        }
        self.pending_partition_changes.push_back(PendingPartitionChange::Open(partitions));
    }

    /// Continues the change of partitions that is in progress. If no change is in progress, starts the next pending
    /// change.
    pub(super) fn advance_partition_changes(&mut self) -> Result<(), Halt> {
        self.confirm_and_reclaim_partition()?;
        let now = self.clock.monotonic_now();
        match self.active_partition_change.take() {
            None => match self.pending_partition_changes.pop_front() {
                Some(change) => self.start_pending_change(change, now),
                None => Ok(()),
            },
            Some(ActivePartitionChange::Opening(batch)) => self.advance_opening(batch, now),
            Some(ActivePartitionChange::Releasing(batch)) => {
                if self.advance_final_checkpoints()? || now >= batch.deadline {
                    self.finish_release(&batch.partitions, now)
                } else {
                    self.active_partition_change = Some(ActivePartitionChange::Releasing(batch));
                    Ok(())
                }
            }
        }
    }

    fn start_pending_change(&mut self, change: PendingPartitionChange, now: Duration) -> Result<(), Halt> {
        match change {
            PendingPartitionChange::Open(partitions) => {
                for &partition in &partitions {
                    self.reset_to_assigned(partition, now)?;
                }
                if !partitions.is_empty() {
                    self.event_recorder.record_partitions_assigned(&partitions);
                }
                self.begin_opening_partitions(partitions, OpenReason::NewAssignment, now)
            }
            PendingPartitionChange::Restart(partition) => {
                let waits = self.partitions.get(&partition).is_some_and(|tracked| {
                    matches!(tracked.phase(), PartitionPhase::Assigned { reason: OpenReason::Restart })
                });
                if waits { self.begin_opening_partitions(vec![partition], OpenReason::Restart, now) } else { Ok(()) }
            }
            PendingPartitionChange::Release(partitions) => self.start_release(partitions, now),
            PendingPartitionChange::DropLost(partitions) => {
                self.event_recorder.record_partitions_lost(&partitions);
                for &partition in &partitions {
                    self.abandon_snapshot(partition)?;
                    self.remove_partition(partition, now)?;
                }
                self.cancel_pending_restarts(&partitions);
                self.source.release_partitions(&partitions)
            }
        }
    }

    /// Moves a newly assigned partition to the phase `Assigned` from any other phase, and clears the partition's fence
    /// history.
    fn reset_to_assigned(&mut self, partition: Partition, now: Duration) -> Result<(), Halt> {
        self.abandon_snapshot(partition)?;
        match self.partitions.entry(partition) {
            Entry::Vacant(vacant) => drop(vacant.insert(TrackedPartition::new_assigned(partition, now))),
            Entry::Occupied(mut occupied) => {
                let tracked = occupied.get_mut();
                tracked.assign_again(OpenReason::NewAssignment, now)?;
                tracked.repeated_fencing = Default::default();
            }
        }
        Ok(())
    }

    fn begin_opening_partitions(
        &mut self,
        partitions: Vec<Partition>,
        reason: OpenReason,
        now: Duration,
    ) -> Result<(), Halt> {
        let Some(checkpoint_thread) = &self.checkpoint_thread else {
            let starts = self.source.resolve_start_offsets(&partitions, &PartitionOffsets::new())?;
            let start_offsets = starts.known_offsets();
            self.source.start_partitions(&partitions, &start_offsets)?;
            let clock = self.read_both_clocks();
            for partition in partitions {
                let fence_token = FenceToken { partition, epoch: 0 };
                let start = start_offsets.get(&partition).copied();
                let owned = OwnedPartition::new_without_checkpoints(self.job.new_shard(), fence_token, start, clock);
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
        self.active_partition_change = Some(ActivePartitionChange::Opening(OpeningBatch {
            partitions,
            open_reason: reason,
            start_offsets: PartitionOffsets::new(),
        }));
        Ok(())
    }

    fn advance_opening(&mut self, mut batch: OpeningBatch, now: Duration) -> Result<(), Halt> {
        if !self.awaits_restore(&batch) {
            self.request_fence_claims(&mut batch, now)?;
        }
        if self.awaits_checkpoint_thread(&batch) {
            self.active_partition_change = Some(ActivePartitionChange::Opening(batch));
            return Ok(());
        }
        let start_offsets = &batch.start_offsets;
        match batch.open_reason {
            OpenReason::Restart => self.source.seek_partitions(start_offsets)?,
            OpenReason::NewAssignment => self.source.start_partitions(&batch.partitions, start_offsets)?,
        }
        let (clock, interval) = (self.read_both_clocks(), self.checkpoint_interval());
        for partition in batch.partitions {
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            // There is no opened partition if another worker has claimed the partition in the meantime. This worker
            // then does not process the partition.
            let Some(opened) = tracked.take_claimed_partition() else { continue };
            self.event_recorder.record_partition_opened(&opened);
            tracked.start_running(OwnedPartition::new(*opened, clock, interval), now)?;
        }
        Ok(())
    }

    /// Returns whether the checkpoint thread still restores a partition of `batch`.
    fn awaits_restore(&self, batch: &OpeningBatch) -> bool {
        batch.partitions.iter().filter_map(|partition| self.partitions.get(partition)).any(|tracked| {
            matches!(tracked.phase(), PartitionPhase::Opening { progress: RestoreProgress::Pending, .. })
        })
    }

    /// Asks the checkpoint thread to claim the restored partitions of `batch` at the fence of the row store. Adds the
    /// offsets at which reading of these partitions will start to the batch.
    fn request_fence_claims(&mut self, batch: &mut OpeningBatch, now: Duration) -> Result<(), Halt> {
        let (mut restored, mut checkpoint_offsets) = (Vec::new(), PartitionOffsets::new());
        for &partition in &batch.partitions {
            if let Some(&PartitionPhase::Opening {
                progress: RestoreProgress::Restored { checkpoint_offset }, ..
            }) = self.partitions.get(&partition).map(TrackedPartition::phase)
            {
                restored.push(partition);
                checkpoint_offsets.extend(checkpoint_offset.map(|offset| (partition, offset)));
            }
        }
        if restored.is_empty() {
            return Ok(());
        }
        let starts = self.source.resolve_start_offsets(&restored, &checkpoint_offsets)?;
        for partition in restored {
            let start = starts.start_by_partition.get(&partition).copied();
            if let Some(&held_now) = starts.truncated_partitions.get(&partition)
                && let Some(tracked) = self.partitions.get_mut(&partition)
            {
                tracked.mark_log_truncated(held_now);
            }
            if let Some(tracked) = self.partitions.get_mut(&partition)
                && let Some(held_after_truncation) = tracked.take_truncation()
            {
                tracked.mark_restore_pending();
                // Other records may have been added since. Checkpoints beyond them contain the lost records.
                let held_now = start.and_then(|start| start.held_offsets).unwrap_or(held_after_truncation);
                let held_offsets = held_now.ending_no_later_than(held_after_truncation);
                if let Some(checkpoint_thread) = &self.checkpoint_thread {
                    let command = CheckpointCommand::RestoreBehindTruncation { partition, held_offsets };
                    checkpoint_thread.send_command(command)?;
                }
                continue;
            }
            if let Some(checkpoint_thread) = &self.checkpoint_thread {
                checkpoint_thread.send_command(CheckpointCommand::ClaimFence { partition, start })?;
            }
            if let Some(tracked) = self.partitions.get_mut(&partition) {
                tracked.start_claiming(batch.open_reason, start.map(|start| start.offset), now)?;
            }
            batch.start_offsets.remove(&partition);
            batch.start_offsets.extend(start.map(|start| (partition, start.offset)));
        }
        Ok(())
    }

    fn awaits_checkpoint_thread(&self, batch: &OpeningBatch) -> bool {
        batch.partitions.iter().filter_map(|partition| self.partitions.get(partition)).any(|tracked| {
            matches!(tracked.phase(), PartitionPhase::Opening { .. } | PartitionPhase::Claiming { claimed: None, .. })
        })
    }

    /// Records the checkpoint thread's answer to [`CheckpointCommand::RestorePartition`] in the phase of the partition.
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

    /// Records the checkpoint thread's answer to [`CheckpointCommand::ClaimFence`] in the phase of the partition.
    pub(super) fn handle_fence_claimed(
        &mut self,
        partition: Partition,
        claimed: Result<PartitionOpenOutcome, Halt>,
    ) -> Result<(), Halt> {
        let claimed = self.ignore_error_after_stop(claimed)?;
        let (Some(claimed), Some(tracked)) = (claimed, self.partitions.get_mut(&partition)) else { return Ok(()) };
        let &PartitionPhase::Claiming { start_offset, .. } = tracked.phase() else { return Ok(()) };
        match claimed {
            PartitionOpenOutcome::Opened(opened) => {
                tracked.mark_claimed(opened);
                Ok(())
            }
            PartitionOpenOutcome::RestoredOlder { checkpoint_offset } => {
                let now = self.clock.monotonic_now();
                tracked.reopen_from_older_checkpoint(checkpoint_offset, now)?;
                Ok(())
            }
            PartitionOpenOutcome::Overtaken { newer_epoch: epoch } => {
                self.mark_partition_fenced(partition, epoch, start_offset)
            }
        }
    }

    /// Replaces an error by `None` if a stop was requested. The stop also interrupts the checkpoint thread, so such an
    /// error needs no further action.
    fn ignore_error_after_stop<T>(&self, result: Result<T, Halt>) -> Result<Option<T>, Halt> {
        match result {
            Err(_) if self.stop_signal.is_requested() => Ok(None),
            result => result.map(Some),
        }
    }

    fn start_release(&mut self, partitions: Vec<Partition>, now: Duration) -> Result<(), Halt> {
        for &partition in &partitions {
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            tracked.repeated_fencing = Default::default();
            if tracked.owned_partition().is_some() {
                tracked.start_draining(now)?;
            } else if matches!(tracked.phase(), PartitionPhase::Fenced { .. }) {
                self.remove_partition(partition, now)?;
            }
        }
        let deadline = now + RELEASE_TIMEOUT;
        self.active_partition_change = Some(ActivePartitionChange::Releasing(ReleasingBatch { partitions, deadline }));
        Ok(())
    }

    /// Commits the offsets of the partitions' last checkpoints and releases the partitions. The worker calls this
    /// function when these checkpoints have ended or the deadline has passed.
    fn finish_release(&mut self, partitions: &[Partition], now: Duration) -> Result<(), Halt> {
        if !partitions.is_empty() {
            self.event_recorder.record_partitions_released(partitions);
        }
        let mut offsets = PartitionOffsets::new();
        for &partition in partitions {
            self.abandon_snapshot(partition)?;
            let Some(owned) = self.remove_partition(partition, now)? else { continue };
            if owned.has_uncheckpointed_records() {
                self.event_recorder.record_release_without_checkpoint(partition);
            }
            offsets.extend(owned.checkpoint_progress.checkpoint_offset.map(|offset| (partition, offset)));
        }
        if !offsets.is_empty() {
            self.source.commit_offsets(&offsets, CommitWait::AwaitAnswer)?;
        }
        self.cancel_pending_restarts(partitions);
        self.source.release_partitions(partitions)
    }

    /// Removes a partition from the worker. Returns the data of the partition if the worker had opened the partition.
    fn remove_partition(&mut self, partition: Partition, now: Duration) -> Result<Option<Box<OwnedPartition>>, Halt> {
        match self.partitions.remove(&partition) {
            Some(mut tracked) => Ok(tracked.release(now)?),
            None => Ok(None),
        }
    }

    fn cancel_pending_restarts(&mut self, partitions: &[Partition]) {
        self.pending_partition_changes.retain(
            |change| !matches!(change, PendingPartitionChange::Restart(partition) if partitions.contains(partition)),
        );
    }
}
