//! Opening a partition: claiming it in the checkpoint store, restoring its shard, claiming it at the fence.
//!
//! Invariant: the partition is claimed in the checkpoint store before its checkpoints are looked at, and at the fence
//! before anything is computed from them.

use tracing::warn;

use super::epoch;
use super::find_checkpoint::find_checkpoint;
use super::messages::OpenOutcome;
use super::opened_partition::{ClaimedFence, RestoredPartition};
use super::row_beginning::row_counts_at_start;
use super::store_retry::StoreRetry;
use crate::halt::DamagedState;
use crate::{ClaimOutcome, FenceToken, Halt, JobDefinition, Offset, Partition, PartitionClaim};

/// Claims `partition` in the checkpoint store and restores its newest good checkpoint. Waits while the store is
/// unreachable, until a stop is requested.
pub(super) fn restore_partition(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    partition: Partition,
) -> Result<RestoredPartition, Halt> {
    let StoreRetry { config, clock, .. } = *retry;
    let started = clock.now();
    let epoch = retry.retry(|| epoch::claim_epoch(config, partition, 0))?;
    let restored = find_checkpoint(retry, job, partition)?;
    Ok(RestoredPartition { partition, epoch, duration: clock.now().saturating_sub(started), restored })
}

/// Claims a restored partition at the fence, to read it from `start` on. Waits while the store of rows is unreachable.
pub(super) fn claim_partition(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    mut opening: RestoredPartition,
    start: Option<Offset>,
) -> Result<OpenOutcome, Halt> {
    let config = retry.config;
    let partition = opening.partition;
    loop {
        let epoch = opening.epoch;
        let row_counts = row_counts_at_start(config, job, &opening.restored, start, epoch);
        let claim = PartitionClaim { partition, epoch, row_counts };
        let stored = match config.fence.claim_partition(&claim)? {
            ClaimOutcome::Granted(rows_written) => {
                let beginnings = claim.row_counts.iter().map(|count| count.beginning).collect();
                let granted = ClaimedFence { fence_token: FenceToken { partition, epoch }, beginnings, rows_written };
                return Ok(OpenOutcome::Opened(Box::new(opening.into_opened(granted, start))));
            }
            ClaimOutcome::Stale(stored) => stored,
        };
        // Another member of the group claimed it while it was being opened here. Claiming it back would fence the member
        // that the group means.
        let newest = retry.retry(|| epoch::newest_epoch(&*config.store, partition))?;
        if let Some(newest) = newest.filter(|newest| *newest > epoch) {
            return Ok(OpenOutcome::Overtaken { epoch: newest });
        }
        if opening.restored.manifest.is_none() {
            let place = config.store.place().to_owned();
            return Err(DamagedState::MissingCheckpoint { place, partition, epoch: stored }.into());
        }
        warn!(partition, epoch, stored, "the store of rows knows a larger epoch; claiming a larger one");
        opening.epoch = retry.retry(|| epoch::claim_epoch(config, partition, stored + 1))?;
        // The owner before that claim may have completed checkpoints.
        let offset = opening.restored.checkpoint_offset();
        opening.restored = find_checkpoint(retry, job, partition)?;
        if opening.restored.checkpoint_offset() != offset {
            return Ok(OpenOutcome::Overtaken { epoch: stored });
        }
    }
}
