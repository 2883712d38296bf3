//! Responds when the row store or the checkpoint store no longer accepts this worker as the owner of a partition, and when
//! rows or records of a partition are lost.
//!
//! Owns: the response when another worker has claimed a partition, when the row store has lost rows, or when the source
//! has lost records. Does not own: the fence (the row store), the consumer group (the source).
//! Invariant: this worker writes nothing for a fenced partition until the consumer group confirms that this worker owns
//! the partition.

use std::collections::BTreeMap;
use std::time::Duration;

use super::partition_phase::{OpenReason, PartitionPhase, TrackedPartition};
use super::state::{FenceCheckSchedule, Worker};
use crate::checkpoint::CheckpointCommand;
use crate::halt::ContestedPartition;
use crate::{
    DeadLetterSink, Epoch, FenceToken, Halt, HeldOffsets, LostPartition, Offset, Partition, PartitionLossReason,
    PartitionOffsets, Sink, Source,
};

/// The time that the worker waits for the consumer group to revoke a fenced partition. The time is enough for a
/// heartbeat to the group. If the process was suspended, the answer to its first heartbeat tells the process that it
/// has lost partitions.
const OWNERSHIP_CONFIRM_DELAY: Duration = Duration::from_secs(10);
/// How long a restart waits for the checkpoint thread. The next snapshot of a partition that goes back to an older checkpoint
/// is a base, so an opening is also safe while the thread hangs.
const OPENING_BARRIER_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two checks whether the row store still accepts the rows of the worker's partitions. A partition without
/// new records writes no rows and takes no checkpoint, so nothing else shows that another worker has claimed it.
const FENCE_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// The maximum number of times that the worker claims the same partition back from another worker. If another worker
/// then claims the partition once more, the job halts.
const MAX_RECLAIMS_PER_PARTITION: u32 = 5;

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Asks the row store at times whether it still accepts the rows of each open partition. Does not ask again before it
    /// has answered, so the questions do not fill the queue of a row store that is unreachable.
    pub(super) fn check_fences_of_open_partitions(&mut self, now: Duration) -> Result<(), Halt> {
        let is_answered = self.sink.newest_acknowledged_flush() >= self.fence_check.flush_ticket;
        // Without checkpoints, no partition is claimed at the fence.
        if now < self.fence_check.due_at || !is_answered || self.checkpoint_thread.is_none() {
            return Ok(());
        }
        for owned in self.partitions.values().filter_map(TrackedPartition::owned_partition) {
            self.sink.verify_rows_at_next_flush(owned.fence_token);
        }
        let flush_ticket = self.sink.start_flush()?;
        self.fence_check = FenceCheckSchedule { due_at: now + FENCE_CHECK_INTERVAL, flush_ticket };
        Ok(())
    }

    /// Stops or restarts each partition whose rows the row store no longer accepts.
    pub(super) fn handle_lost_partitions(&mut self) -> Result<(), Halt> {
        for LostPartition { fence_token, reason } in self.sink.take_lost_partitions() {
            match reason {
                PartitionLossReason::Fenced(newer_epoch) => self.stop_fenced_partition(fence_token, newer_epoch)?,
                PartitionLossReason::StoreRewound => self.restart_partition_with_lost_rows(fence_token)?,
            }
        }
        Ok(())
    }

    /// Stops processing a partition that another worker has claimed under `newer_epoch`.
    pub(super) fn stop_fenced_partition(&mut self, fence_token: FenceToken, newer_epoch: Epoch) -> Result<(), Halt> {
        let partition = fence_token.partition;
        let owned = self.partitions.get(&partition).and_then(TrackedPartition::owned_partition);
        let Some(owned) = owned.filter(|owned| owned.fence_token == fence_token) else { return Ok(()) };
        let confirm_offset = owned.checkpoint_progress.checkpoint_offset.or(owned.next_offset);
        self.metrics.checkpoint_metrics.forget_checkpoint_in_progress(partition);
        self.mark_partition_fenced(partition, newer_epoch, confirm_offset)
    }

    /// Moves `partition` to the phase `Fenced`, because another worker has claimed the partition. Logs and counts the
    /// claim.
    pub(super) fn mark_partition_fenced(
        &mut self,
        partition: Partition,
        newer_epoch: Epoch,
        confirm_offset: Option<Offset>,
    ) -> Result<(), Halt> {
        self.event_recorder.record_partition_fenced(partition, newer_epoch);
        let now = self.clock.monotonic_now();
        if let Some(tracked) = self.partitions.get_mut(&partition) {
            tracked.mark_fenced(confirm_offset, now)?;
            self.store_findings.iter().for_each(|findings| findings.note_not_open(partition, now));
        }
        Ok(())
    }

    /// Restarts a partition from its last checkpoint. The worker then writes the rows again that the row store has
    /// lost.
    fn restart_partition_with_lost_rows(&mut self, fence_token: FenceToken) -> Result<(), Halt> {
        let partition = fence_token.partition;
        let owned = self.partitions.get(&partition).and_then(TrackedPartition::owned_partition);
        if owned.is_none_or(|owned| owned.fence_token != fence_token) {
            return Ok(());
        }
        self.event_recorder.record_row_store_lost_rows(partition);
        self.abandon_snapshot(partition)?;
        self.restart_partition(partition)
    }

    /// Restarts partitions whose source has lost records that this worker has read. Each goes back to a checkpoint whose
    /// offset still exists, or begins anew.
    pub(super) fn go_back_behind_truncation(
        &mut self,
        truncated: BTreeMap<Partition, HeldOffsets>,
    ) -> Result<(), Halt> {
        for (partition, held_offsets) in truncated {
            let Some(tracked) = self.partitions.get_mut(&partition) else { continue };
            tracked.mark_log_truncated(held_offsets);
            if tracked.owned_partition().is_some() {
                self.abandon_snapshot(partition)?;
                self.restart_partition(partition)?;
            }
        }
        Ok(())
    }

    /// Drops the state of a partition, so that the worker opens the partition again. The opening begins when the checkpoint
    /// thread has executed its earlier commands of the partition, but at the latest after [`OPENING_BARRIER_TIMEOUT`].
    fn restart_partition(&mut self, partition: Partition) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        tracked.assign_again(OpenReason::Restart, now)?;
        self.store_findings.iter().for_each(|findings| findings.note_not_open(partition, now));
        if let Some(thread) = &self.checkpoint_thread {
            self.last_barrier_number += 1;
            let barrier_number = self.last_barrier_number;
            tracked.set_opening_barrier(barrier_number, now + OPENING_BARRIER_TIMEOUT);
            thread.send_command(CheckpointCommand::ConfirmEarlierCommands { partition, barrier_number })?;
        }
        self.source.stop_partitions(&[partition])
    }

    /// Opens a fenced partition again if the consumer group confirms that this worker still owns the partition.
    ///
    /// Another member of the group has claimed the partition. If that member is the rightful owner, the group revokes
    /// the partition from this worker within [`OWNERSHIP_CONFIRM_DELAY`]. If the group does not revoke the partition,
    /// the other member had lost it without noticing and claimed it by mistake. This worker then claims the partition
    /// back.
    pub(super) fn confirm_and_reclaim_partition(&mut self) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        let is_overdue = |(&partition, tracked): (&Partition, &TrackedPartition)| {
            let PartitionPhase::Fenced { since } = tracked.phase() else { return None };
            let is_over = now.saturating_sub(*since) >= OWNERSHIP_CONFIRM_DELAY && !self.is_being_released(partition);
            is_over.then_some(partition)
        };
        let Some(partition) = self.partitions.iter().find_map(is_overdue) else { return Ok(()) };
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let history = tracked.repeated_fencing;
        if history.fence_count > MAX_RECLAIMS_PER_PARTITION {
            return Err(ContestedPartition { partition }.into());
        }
        // If no offset is known, the partition was claimed by another worker before its start was known. The start position
        // of the pipeline is then committed, which is not where the other worker has come to. No worker resumes there: a
        // worker resumes from a checkpoint. Only the lag that Kafka's tools show is wrong, until the partition is open again
        // and its offsets are committed again (`RECOMMIT_INTERVAL`).
        let offsets = match history.ownership_check_offset {
            Some(offset) => PartitionOffsets::from([(partition, offset)]),
            None => self.source.resolve_start_offsets(&[partition], &PartitionOffsets::new())?.known_offsets(),
        };
        let confirmed = !offsets.is_empty() && self.source.confirm_ownership_by_commit(&offsets)?;
        if !confirmed {
            tracked.restart_ownership_confirm_delay(now);
            return Ok(());
        }
        self.event_recorder.record_partition_reclaimed(partition);
        self.restart_partition(partition)
    }
}
