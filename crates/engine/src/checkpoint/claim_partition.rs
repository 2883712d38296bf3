//! Opening a partition: claim it in the checkpoint store, restore its shard, claim it at the fence.
//!
//! Invariant: the claim in the checkpoint store comes before any checkpoint is read. The claim at the fence comes
//! before any record is processed.

use tracing::warn;

use super::epoch;
use super::find_checkpoint::restore_starting_shard;
use super::messages::OpenOutcome;
use super::opened_partition::{GrantedFenceClaim, RestoredPartition};
use super::row_beginning::compute_row_counts_at_start;
use super::store_retry::StoreRetry;
use crate::halt::DamagedState;
use crate::{ClaimOutcome, FenceToken, Halt, JobDefinition, Offset, Partition, PartitionClaim};

/// Claims an epoch of `partition` in the checkpoint store and restores the newest readable checkpoint. While the store
/// is unreachable, waits until a stop is requested.
pub(super) fn claim_epoch_and_restore(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    partition: Partition,
) -> Result<RestoredPartition, Halt> {
    let StoreRetry { config, clock, .. } = *retry;
    let started = clock.monotonic_now();
    let epoch = retry.retry(|| epoch::claim_epoch(config, partition, 0))?;
    let restored = restore_starting_shard(retry, job, partition)?;
    Ok(RestoredPartition {
        partition,
        epoch,
        restore_duration: clock.monotonic_now().saturating_sub(started),
        restored_shard: restored,
    })
}

/// Claims a restored partition at the fence, to read it from `start`. Waits while the row store is unreachable.
pub(super) fn claim_partition_at_fence(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    mut opening: RestoredPartition,
    start: Option<Offset>,
) -> Result<OpenOutcome, Halt> {
    let config = retry.config;
    let partition = opening.partition;
    loop {
        let epoch = opening.epoch;
        let row_counts = compute_row_counts_at_start(config, job, &opening.restored_shard, start, epoch);
        let claim = PartitionClaim { partition, epoch, row_counts };
        let stored = match config.row_fence.claim_partition(&claim)? {
            ClaimOutcome::Granted(rows_written) => {
                let beginnings = claim.row_counts.iter().map(|count| count.counting_start_fingerprint).collect();
                let granted = GrantedFenceClaim {
                    fence_token: FenceToken { partition, epoch },
                    counting_start_fingerprints: beginnings,
                    last_written_row_by_view: rows_written,
                };
                return Ok(OpenOutcome::Opened(Box::new(opening.into_opened_partition(granted, start))));
            }
            ClaimOutcome::Stale(stored) => stored,
        };
        // Another member of the group claimed the partition while this worker was opening it. Claiming it back would
        // fence the member that the group has chosen.
        let newest = retry.retry(|| epoch::read_newest_epoch(&*config.store, partition))?;
        if let Some(newest) = newest.filter(|newest| *newest > epoch) {
            return Ok(OpenOutcome::Overtaken { newer_epoch: newest });
        }
        if opening.restored_shard.manifest.is_none() {
            let place = config.store.place().to_owned();
            return Err(DamagedState::MissingCheckpoint { place, partition, epoch: stored }.into());
        }
        warn!(partition, epoch, stored, "the store of rows knows a larger epoch; claiming a larger one");
        opening.epoch = retry.retry(|| epoch::claim_epoch(config, partition, stored + 1))?;
        // The owner before that claim may have completed checkpoints in the meantime.
        let offset = opening.restored_shard.checkpoint_offset();
        opening.restored_shard = restore_starting_shard(retry, job, partition)?;
        if opening.restored_shard.checkpoint_offset() != offset {
            return Ok(OpenOutcome::Overtaken { newer_epoch: stored });
        }
    }
}
