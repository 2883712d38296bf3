//! Answers the consumer group when it assigns partitions to this worker or revokes them.
//!
//! Owns: the steps from an assignment or revocation to the worker's answer, and last checkpoints of revoked partitions.
//! Does not own: the consumer group (the source), opening the assigned partitions (`partition_openings`), partitions that
//! another worker has claimed (`fencing`).
//! Invariants: (1) The worker handles assignments and revocations one after another, in the order of their arrival. It drops
//! lost partitions at once. (2)
//! The worker answers an assignment at once, before it has opened the partitions: the group waits for the answer, and the
//! checkpoint store may be unreachable. (3) While the worker opens or releases partitions, it still processes the records
//! of its other partitions. (4) A revoked partition is released after its last checkpoint, but at the latest after
//! [`RELEASE_TIMEOUT`]. A partition that is not open yet is released at once. (5) A worker may release a partition without
//! a last checkpoint. The next owner then claims the partition under a larger epoch, and resumes from the previous
//! checkpoint.

use std::collections::btree_map::Entry;
use std::time::Duration;

use super::owned_partition::OwnedPartition;
use super::partition_change_queue::{ActiveRelease, PendingPartitionChange};
use super::partition_phase::{DrainGoal, OpenReason, TrackedPartition};
use super::state::Worker;
use crate::{CommitWait, DeadLetterSink, Halt, Partition, PartitionOffsets, Sink, Source};

/// The maximum time for which the release of partitions waits for their last checkpoints.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(15);

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Continues the release in progress, starts the pending changes that need not wait for it, and continues to open
    /// partitions.
    pub(super) fn advance_partition_changes(&mut self) -> Result<(), Halt> {
        self.confirm_and_reclaim_partition()?;
        self.park_drained_partitions()?;
        loop {
            let now = self.clock.monotonic_now();
            if let Some(release) = self.active_release.take() {
                if !self.advance_final_checkpoints()? && now < release.deadline {
                    self.active_release = Some(release);
                    break;
                }
                self.finish_release(&release.partitions, now)?;
            }
            let Some(change) = self.pending_partition_changes.pop_front() else { break };
            self.start_pending_change(change, now)?;
        }
        self.advance_openings()?;
        self.update_group_presence()
    }

    fn start_pending_change(&mut self, change: PendingPartitionChange, now: Duration) -> Result<(), Halt> {
        match change {
            PendingPartitionChange::Assign(partitions) => {
                for &partition in &partitions {
                    self.reset_to_assigned(partition, now)?;
                }
                if !partitions.is_empty() {
                    self.event_recorder.record_partitions_assigned(&partitions);
                }
                self.source.accept_assignment(&partitions)
            }
            PendingPartitionChange::Release(partitions) => self.start_release(partitions, now),
        }
    }

    /// Drops `partitions`, and forgets the pending changes of them. This does not wait for the release in progress: another
    /// member may own the partitions already, and this worker must not claim them any more.
    pub(super) fn drop_lost_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        self.event_recorder.record_partitions_lost(partitions);
        self.pending_partition_changes.iter_mut().for_each(|change| change.forget_partitions(partitions));
        for &partition in partitions {
            self.abandon_snapshot(partition)?;
            self.remove_partition(partition, now)?;
        }
        self.source.release_partitions(partitions)
    }

    /// Moves a newly assigned partition to the phase `Assigned`, and clears the partition's fence history. A partition
    /// that is being opened stays in its phase.
    fn reset_to_assigned(&mut self, partition: Partition, now: Duration) -> Result<(), Halt> {
        self.abandon_snapshot(partition)?;
        match self.partitions.entry(partition) {
            Entry::Vacant(vacant) => {
                vacant.insert(TrackedPartition::new_assigned(partition, now));
                self.store_findings.iter().for_each(|findings| findings.note_not_open(partition, now));
            }
            Entry::Occupied(mut occupied) => {
                let tracked = occupied.get_mut();
                if tracked.partition_opening().is_none() {
                    tracked.assign_again(OpenReason::NewAssignment, now)?;
                }
                tracked.repeated_fencing = Default::default();
            }
        }
        Ok(())
    }

    /// Begins to release `partitions`. Those that are not open need no last checkpoint, and the worker drops them.
    fn start_release(&mut self, partitions: Vec<Partition>, now: Duration) -> Result<(), Halt> {
        for &partition in &partitions {
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            tracked.repeated_fencing = Default::default();
            if tracked.owned_partition().is_some() {
                tracked.start_draining(DrainGoal::Release, now)?;
            } else {
                self.remove_partition(partition, now)?;
            }
        }
        self.active_release = Some(ActiveRelease { partitions, deadline: now + RELEASE_TIMEOUT });
        Ok(())
    }

    /// Returns whether the worker takes the last checkpoint of `partition`, or another of the same release.
    pub(super) fn is_being_released(&self, partition: Partition) -> bool {
        self.active_release.as_ref().is_some_and(|release| release.partitions.contains(&partition))
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
        self.source.release_partitions(partitions)
    }

    /// Removes a partition from the worker, and abandons its opening, if any. Returns the data of the partition if the
    /// worker had opened the partition.
    fn remove_partition(&mut self, partition: Partition, now: Duration) -> Result<Option<Box<OwnedPartition>>, Halt> {
        match self.partitions.remove(&partition) {
            Some(mut tracked) => {
                self.store_findings.iter().for_each(|findings| findings.note_released(partition, now));
                Ok(tracked.release(now)?)
            }
            None => Ok(None),
        }
    }
}
