//! Opens a partition in three steps: claims an epoch in the checkpoint store, restores the shard, claims the partition
//! at the fence.
//!
//! Invariants: (1) The checkpoint thread claims a partition in the checkpoint store before it reads any of the
//! partition's checkpoints. (2) The thread claims the partition at the fence before the worker processes any of the
//! partition's records.

use tracing::warn;

use super::epoch_claim;
use super::find_checkpoint::restore_initial_shard;
use super::opened_partition::{GrantedFenceClaim, RestoredPartition};
use super::row_numbering_fingerprint::compute_row_counts_at_start;
use super::store_retry::StoreRetry;
use super::thread_messages::PartitionOpenOutcome;
use crate::halt::DamagedState;
use crate::{ClaimOutcome, FenceToken, Halt, JobDefinition, Offset, Partition, PartitionClaim};

/// Claims `partition` in the checkpoint store under a new epoch, and restores the partition's shard. While the
/// checkpoint store is unreachable, retries until a stop is requested.
pub(super) fn claim_epoch_and_restore(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    partition: Partition,
) -> Result<RestoredPartition, Halt> {
    let StoreRetry { checkpoint_config: config, clock, .. } = *retry;
    let started = clock.monotonic_now();
    let epoch = retry.retry_while_unreachable(|| epoch_claim::claim_epoch(config, partition, 0))?;
    let restored = restore_initial_shard(retry, job, partition)?;
    Ok(RestoredPartition {
        partition,
        epoch,
        restore_duration: clock.monotonic_now().saturating_sub(started),
        restored_shard: restored,
    })
}

/// Claims a restored partition at the fence. The worker then reads the partition from the offset `start`, or from the
/// checkpoint's offset if `start` is `None`. While the row store is unreachable, waits for it, at most until a stop is
/// requested.
pub(super) fn claim_partition_at_fence(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    mut opening: RestoredPartition,
    start: Option<Offset>,
) -> Result<PartitionOpenOutcome, Halt> {
    let config = retry.checkpoint_config;
    let partition = opening.partition;
    loop {
        let epoch = opening.epoch;
        let row_counts = compute_row_counts_at_start(config, job, &opening.restored_shard, start, epoch);
        let claim = PartitionClaim { partition, epoch, row_counts };
        let stored = match config.row_fence.claim_partition(&claim)? {
            ClaimOutcome::Granted(rows_written) => {
                let fingerprints = claim.row_counts.iter().map(|count| count.row_numbering_fingerprint).collect();
                let granted = GrantedFenceClaim {
                    fence_token: FenceToken { partition, epoch },
                    row_numbering_fingerprints: fingerprints,
                    last_written_row_number_by_view: rows_written,
                };
                return Ok(PartitionOpenOutcome::Opened(Box::new(opening.open_with_granted_claim(granted, start))));
            }
            ClaimOutcome::Stale(stored) => stored,
        };
        // The fence holds a larger epoch than the epoch of this claim. If the checkpoint store holds a larger epoch
        // too, another member of the consumer group has claimed the partition. That member is the rightful owner, and a
        // new claim would fence it.
        let newest =
            retry.retry_while_unreachable(|| epoch_claim::read_largest_epoch(&*config.checkpoint_store, partition))?;
        if let Some(newest) = newest.filter(|newest| *newest > epoch) {
            return Ok(PartitionOpenOutcome::Overtaken { newer_epoch: newest });
        }
        if opening.restored_shard.manifest.is_none() {
            let place = config.checkpoint_store.place().to_owned();
            return Err(DamagedState::MissingCheckpoint { place, partition, epoch: stored }.into());
        }
        warn!(
            partition,
            epoch, stored, "the fence has a larger epoch than the checkpoint store; claiming a still larger epoch"
        );
        opening.epoch = retry.retry_while_unreachable(|| epoch_claim::claim_epoch(config, partition, stored + 1))?;
        // Until this new claim, the former owner could still complete checkpoints. So the newest checkpoint may be
        // newer than the restored one, and the shard is restored again.
        let offset = opening.restored_shard.checkpoint_offset();
        opening.restored_shard = restore_initial_shard(retry, job, partition)?;
        if opening.restored_shard.checkpoint_offset() != offset {
            return Ok(PartitionOpenOutcome::Overtaken { newer_epoch: stored });
        }
    }
}
