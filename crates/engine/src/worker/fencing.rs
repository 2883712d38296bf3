//! Partitions that the row store or the checkpoint store no longer accepts from this worker.
//!
//! Owns: the reaction when another worker has claimed a partition or the row store has lost rows. Does not own: the
//! fence (the row store), the group (the source).
//! Invariant: nothing is written for a fenced partition until the group confirms that this worker owns the partition.

use std::time::Duration;

use super::change_queue::PendingChange;
use super::partition_phase::{OpenReason, PartitionPhase, TrackedPartition};
use super::state::Worker;
use crate::halt::ContestedPartition;
use crate::{
    DeadLetterSink, Epoch, FenceToken, Halt, LostPartition, Offset, Partition, PartitionLossReason, PartitionOffsets,
    Sink, Source,
};

/// The time in which the group should announce that another member owns a partition. A process that was suspended
/// receives the announcement with its first heartbeat.
const OWNERSHIP_CONFIRM_DELAY: Duration = Duration::from_secs(10);
/// The maximum number of times that a partition confirmed by the group is claimed back.
const MAX_RECLAIMS_PER_PARTITION: u32 = 5;

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Handles the partitions whose rows the row store no longer accepts.
    pub(super) fn handle_lost_partitions(&mut self) -> Result<(), Halt> {
        for LostPartition { fence_token, reason } in self.sink.take_lost_partitions() {
            match reason {
                PartitionLossReason::Fenced(newer_epoch) => self.fence_owned_partition(fence_token, newer_epoch)?,
                PartitionLossReason::StoreRewound => self.restart_rewound_partition(fence_token)?,
            }
        }
        Ok(())
    }

    /// Stops processing a partition that another worker has claimed under `newer_epoch`.
    pub(super) fn fence_owned_partition(&mut self, fence_token: FenceToken, newer_epoch: Epoch) -> Result<(), Halt> {
        let partition = fence_token.partition;
        let owned = self.partitions.get(&partition).and_then(TrackedPartition::owned_partition);
        let Some(owned) = owned.filter(|owned| owned.fence_token == fence_token) else { return Ok(()) };
        let confirm_offset = owned.last_checkpoint.offset.or(owned.next_offset);
        self.metrics.checkpoints.forget_in_progress(partition);
        self.fence_partition(partition, newer_epoch, confirm_offset)
    }

    pub(super) fn fence_partition(
        &mut self,
        partition: Partition,
        newer_epoch: Epoch,
        confirm_offset: Option<Offset>,
    ) -> Result<(), Halt> {
        self.event_reporter.report_partition_fenced(partition, newer_epoch);
        let now = self.clock.now();
        if let Some(tracked) = self.partitions.get_mut(&partition) {
            tracked.mark_fenced(confirm_offset, now)?;
        }
        Ok(())
    }

    /// Restarts a partition from its last checkpoint, to write the rows again that the row store has lost.
    fn restart_rewound_partition(&mut self, fence_token: FenceToken) -> Result<(), Halt> {
        let partition = fence_token.partition;
        let owned = self.partitions.get(&partition).and_then(TrackedPartition::owned_partition);
        if owned.is_none_or(|owned| owned.fence_token != fence_token) {
            return Ok(());
        }
        self.event_reporter.report_row_store_rewound(partition);
        self.abandon_snapshot(partition)?;
        self.queue_restart(partition)
    }

    fn queue_restart(&mut self, partition: Partition) -> Result<(), Halt> {
        let now = self.clock.now();
        if let Some(tracked) = self.partitions.get_mut(&partition) {
            tracked.assign_again(OpenReason::Restart, now)?;
        }
        self.pending_changes.push_back(PendingChange::Restart(partition));
        Ok(())
    }

    /// Claims a fenced partition back if the group confirms that this worker owns it.
    ///
    /// The group soon revokes a partition that another member rightly claimed. Without a revocation, the claim came
    /// from a member that had lost the partition without noticing.
    pub(super) fn reclaim_fenced_partition(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        let overdue = self.partitions.iter_mut().find(|(_, tracked)| {
            matches!(tracked.phase(), PartitionPhase::Fenced { since } if now.saturating_sub(*since) >= OWNERSHIP_CONFIRM_DELAY)
        });
        let Some((&partition, tracked)) = overdue else { return Ok(()) };
        let history = tracked.fence_history;
        if history.fence_count > MAX_RECLAIMS_PER_PARTITION {
            return Err(ContestedPartition { partition }.into());
        }
        let confirmed = match history.ownership_check_offset {
            Some(offset) => self.source.confirm_ownership_by_commit(&PartitionOffsets::from([(partition, offset)]))?,
            None => false,
        };
        if !confirmed {
            tracked.restart_fence_delay(now);
            return Ok(());
        }
        self.event_reporter.report_partition_reclaimed(partition);
        self.queue_restart(partition)
    }
}
