//! Partitions that the row store or the checkpoint store no longer accepts from this worker.
//!
//! Owns: what happens when another worker has claimed a partition, or the row store has lost rows. Does not own: the fence
//! itself (the row store), the group (the source).
//! Invariant: nothing is written for a fenced partition until the group says that it belongs to this worker.

use std::time::Duration;

use super::change_queue::PendingChange;
use super::partition_phase::{OpenReason, PartitionPhase, TrackedPartition};
use super::state::Worker;
use crate::halt::ContestedPartition;
use crate::{
    DeadLetterSink, Epoch, FenceToken, Halt, LostPartition, Offset, Partition, PartitionLossReason, PartitionOffsets,
    Sink, Source,
};

/// How long the group may take to announce that a partition belongs to another member. A process that stood still hears
/// it at its first heartbeat.
const FENCED_CONFIRM_DELAY: Duration = Duration::from_secs(10);
/// How often a partition that the group says is this worker's may be claimed back.
const MAX_RECLAIMS: u32 = 5;

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Handles the partitions whose rows the store no longer takes.
    pub(super) fn handle_lost_partitions(&mut self) -> Result<(), Halt> {
        for LostPartition { fence_token, reason } in self.sink.take_lost_partitions() {
            match reason {
                PartitionLossReason::Fenced(newer_epoch) => self.fence_owned_partition(fence_token, newer_epoch)?,
                PartitionLossReason::StoreRewound => self.restart_rewound_partition(fence_token)?,
            }
        }
        Ok(())
    }

    /// Stops working on a partition that another worker has claimed under `newer_epoch`.
    pub(super) fn fence_owned_partition(&mut self, fence_token: FenceToken, newer_epoch: Epoch) -> Result<(), Halt> {
        let partition = fence_token.partition;
        let owned = self.partitions.get(&partition).and_then(TrackedPartition::owned);
        let Some(owned) = owned.filter(|owned| owned.fence_token == fence_token) else { return Ok(()) };
        let confirm_offset = owned.last_checkpoint.offset.or(owned.next_offset);
        self.metrics.checkpoints.record_abandoned(partition);
        self.fence_partition(partition, newer_epoch, confirm_offset)
    }

    pub(super) fn fence_partition(
        &mut self,
        partition: Partition,
        newer_epoch: Epoch,
        confirm_offset: Option<Offset>,
    ) -> Result<(), Halt> {
        self.events.partition_fenced(partition, newer_epoch);
        let now = self.clock.now();
        if let Some(tracked) = self.partitions.get_mut(&partition) {
            tracked.fence(confirm_offset, now)?;
        }
        Ok(())
    }

    /// Goes back to the last checkpoint of a partition whose rows the store has lost, to write them again.
    fn restart_rewound_partition(&mut self, fence_token: FenceToken) -> Result<(), Halt> {
        let partition = fence_token.partition;
        let owned = self.partitions.get(&partition).and_then(TrackedPartition::owned);
        if owned.is_none_or(|owned| owned.fence_token != fence_token) {
            return Ok(());
        }
        self.events.row_store_rewound(partition);
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

    /// Claims a fenced partition back where the group says that it is this worker's.
    ///
    /// A partition that another member of the group has claimed is soon revoked by the group. If it is not, the claim came
    /// from a member that did not know yet that it had lost the partition.
    pub(super) fn reclaim_fenced_partition(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        let overdue = self.partitions.iter_mut().find(|(_, tracked)| {
            matches!(tracked.phase(), PartitionPhase::Fenced { since } if now.saturating_sub(*since) >= FENCED_CONFIRM_DELAY)
        });
        let Some((&partition, tracked)) = overdue else { return Ok(()) };
        let history = tracked.fence_history;
        if history.times > MAX_RECLAIMS {
            return Err(ContestedPartition { partition }.into());
        }
        let confirmed = match history.confirm_offset {
            Some(offset) => self.source.confirm_ownership(&PartitionOffsets::from([(partition, offset)]))?,
            None => false,
        };
        if !confirmed {
            tracked.restart_fence_delay(now);
            return Ok(());
        }
        self.events.partition_reclaimed(partition);
        self.queue_restart(partition)
    }
}
