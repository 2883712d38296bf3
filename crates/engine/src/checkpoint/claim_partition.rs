//! Opens a partition in three steps: claims an epoch in the checkpoint store, restores the shard, claims the partition
//! at the fence.
//!
//! Invariants: (1) The opening thread claims a partition in the checkpoint store before it reads any of the partition's
//! checkpoints. (2) The thread claims the partition at the fence before the worker processes any of the
//! partition's records.

use tracing::{error, warn};

use super::checkpoint_limits::{CheckpointLimits, RowStoreAnswer};
use super::epoch_claim::{self, EpochClaim};
use super::find_checkpoint::restore_initial_shard;
use super::manifest::CheckpointManifest;
use super::missing_rows::MissingRows;
use super::opened_partition::{GrantedFenceClaim, OpenedPartition, RestoredPartition, RestoredShard};
use super::restore_behind_truncation::restore_behind_truncation;
use super::row_numbering_fingerprint::compute_row_counts_at_start;
use super::store_retry::StoreRetry;
use crate::halt::DamagedState;
use crate::{
    ClaimOutcome, Epoch, FenceToken, GrantedClaim, Halt, HeldOffsets, JobDefinition, LogPosition, MissingRowsMetrics,
    MissingRowsPolicy, Offset, Partition, PartitionClaim, StartOffset,
};

/// The outcome of a claim at the fence.
pub(super) enum FenceClaimOutcome {
    /// The fence granted the claim.
    Opened(Box<OpenedPartition>),
    /// Another worker claimed the partition before.
    Overtaken {
        /// The epoch of the other worker's claim.
        newer_epoch: Epoch,
    },
    /// The row store lacks rows that the restored checkpoint counts, or the source has lost records, so an older
    /// checkpoint was restored. The fence must be claimed again with it.
    RestoredOlder(Box<RestoredPartition>),
}

/// Claims `partition` in the checkpoint store under a new epoch, and restores the partition's shard. While the
/// checkpoint store is unreachable, retries until a stop is requested or the opening is abandoned.
pub(super) fn claim_epoch_and_restore(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    partition: Partition,
) -> Result<RestoredPartition, Halt> {
    let StoreRetry { checkpoint_config: config, clock, .. } = *retry;
    let started = clock.monotonic_now();
    let claim = retry.retry_while_unreachable(|| epoch_claim::claim_epoch(config, partition, 0))?;
    let EpochClaim { epoch, objects_after_claim } = claim;
    let checkpoint_limits = CheckpointLimits::default();
    let restored = restore_initial_shard(retry, job, partition, &checkpoint_limits, Some(&objects_after_claim))?;
    Ok(RestoredPartition {
        partition,
        epoch,
        restore_duration: clock.monotonic_now().saturating_sub(started),
        restored_shard: restored,
        checkpoint_limits,
        missing_rows_policy: MissingRowsPolicy::RefuseClaim,
        overtaken_by: None,
    })
}

/// Claims a restored partition at the fence. The worker then reads the partition from the offset `start`, or from the
/// checkpoint's offset if `start` is `None`. While the row store is unreachable, waits for it, at most until a stop is
/// requested.
///
/// Rows that the row store has lost and that no checkpoint produces again are logged and counted in
/// `missing_rows_metrics` before the claim that accepts their loss. Afterwards the fence no longer shows the loss.
pub(super) fn claim_partition_at_fence(
    retry: &StoreRetry<'_>,
    missing_rows_metrics: &MissingRowsMetrics,
    job: &JobDefinition,
    mut opening: RestoredPartition,
    start: Option<StartOffset>,
) -> Result<FenceClaimOutcome, Halt> {
    let config = retry.checkpoint_config;
    let partition = opening.partition;
    let start_offset = start.map(|start| start.offset);
    if opening.restored_shard.manifest.is_none() {
        verify_refusing_fence_is_gone(retry, job, &mut opening, start_offset)?;
    }
    let held_now = start.and_then(|start| start.held_offsets);
    if let Some(newer_epoch) = opening.overtaken_by {
        return Ok(FenceClaimOutcome::Overtaken { newer_epoch });
    }
    if let Some(position) = opening.restored_shard.manifest.as_ref().map(CheckpointManifest::log_position)
        && let Some(shared) = find_records_before_loss(retry, partition, position, held_now)?
    {
        return restore_behind_truncation(retry, job, opening, shared).map(restored_older);
    }
    let mut has_recorded_missing_rows = false;
    loop {
        retry.fail_if_abandoned()?;
        if opening.missing_rows_policy == MissingRowsPolicy::GrantClaim && !has_recorded_missing_rows {
            has_recorded_missing_rows = true;
            record_missing_rows(&opening.describe_missing_rows(), missing_rows_metrics, retry.clock.wall_now_ms());
        }
        let epoch = opening.epoch;
        let row_counts = compute_row_counts_at_start(config, job, &opening.restored_shard, start_offset, epoch);
        let claim = PartitionClaim {
            partition,
            epoch,
            row_counts,
            checkpoint_rows: opening.restored_shard.counted_rows(),
            read_position: opening.read_position(start_offset),
            missing_rows: opening.missing_rows_policy,
        };
        let stored = match config.row_fence.claim_partition(&claim, retry.abandonment)? {
            ClaimOutcome::Granted(GrantedClaim { last_written_row_number_by_view, read_position, clock_decisions }) => {
                let mut written_and_counted = last_written_row_number_by_view.iter().zip(&claim.row_counts);
                let skips_rows = written_and_counted.any(|(written, counted)| *written > counted.last_row_number);
                if let Some(position) = read_position.filter(|_| skips_rows)
                    && let Some(shared) = find_records_before_loss(retry, partition, position, held_now)?
                {
                    // Rows of lost records have the numbers that rows of other records get now.
                    let claim_again = || epoch_claim::claim_epoch(config, partition, epoch + 1);
                    opening.epoch = retry.retry_while_unreachable(claim_again)?.epoch;
                    return restore_behind_truncation(retry, job, opening, shared).map(restored_older);
                }
                let fingerprints = claim.row_counts.iter().map(|count| count.row_numbering_fingerprint).collect();
                let granted = GrantedFenceClaim {
                    fence_token: FenceToken { partition, epoch },
                    row_numbering_fingerprints: fingerprints,
                    last_written_row_number_by_view,
                    clock_decisions,
                    written_position: read_position,
                };
                return Ok(FenceClaimOutcome::Opened(Box::new(opening.open_with_granted_claim(granted, start_offset))));
            }
            ClaimOutcome::RowsMissing { stored_rows } => {
                let known = opening.checkpoint_limits.held_offsets;
                let limits = CheckpointLimits {
                    held_offsets: held_now
                        .map(|held| known.map_or(held, |known| held.ending_no_later_than(known)))
                        .or(known),
                    row_store_answer: Some(RowStoreAnswer { stored_rows }),
                };
                match restore_older_checkpoint(retry, job, opening, limits)? {
                    OlderCheckpoint::Restored(older) => return Ok(FenceClaimOutcome::RestoredOlder(older)),
                    OlderCheckpoint::None(unchanged) => opening = *unchanged,
                }
                opening.missing_rows_policy = MissingRowsPolicy::GrantClaim;
                continue;
            }
            ClaimOutcome::Stale(stored) => stored,
        };
        // The fence holds a larger epoch than the epoch of this claim. If the checkpoint store holds a larger epoch
        // too, another member of the consumer group has claimed the partition. That member is the rightful owner, and a
        // new claim would fence it.
        let newest =
            retry.retry_while_unreachable(|| epoch_claim::read_largest_epoch(&*config.checkpoint_store, partition))?;
        if let Some(newest) = newest.filter(|newest| *newest > epoch) {
            return Ok(FenceClaimOutcome::Overtaken { newer_epoch: newest });
        }
        if opening.restored_shard.manifest.is_none() {
            epoch_claim::withdraw_claim(&*config.checkpoint_store, partition, epoch, stored);
            let place = config.checkpoint_store.place().to_owned();
            return Err(DamagedState::MissingCheckpoint { place, partition, epoch: stored }.into());
        }
        warn!(
            partition,
            epoch, stored, "the fence has a larger epoch than the checkpoint store; claiming a still larger epoch"
        );
        let claim = retry.retry_while_unreachable(|| epoch_claim::claim_epoch(config, partition, stored + 1))?;
        opening.epoch = claim.epoch;
        // Until this new claim, the former owner could still complete checkpoints. So the newest checkpoint may be
        // newer than the restored one, and the shard is restored again.
        let offset = opening.restored_shard.checkpoint_offset();
        let listed = Some(&claim.objects_after_claim[..]);
        opening.restored_shard = restore_initial_shard(retry, job, partition, &opening.checkpoint_limits, listed)?;
        if opening.restored_shard.checkpoint_offset() != offset {
            return Ok(FenceClaimOutcome::Overtaken { newer_epoch: stored });
        }
    }
}

/// Verifies that a fence no longer exists which has refused an earlier claim for want of checkpoints. The claims of
/// failed attempts may exceed the epoch of this fence, so this function claims with the epoch of the fence itself.
fn verify_refusing_fence_is_gone(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    opening: &mut RestoredPartition,
    start_offset: Option<Offset>,
) -> Result<(), Halt> {
    let config = retry.checkpoint_config;
    let (store, partition) = (&*config.checkpoint_store, opening.partition);
    let noted = retry.retry_while_unreachable(|| epoch_claim::read_refusing_fence_epoch(store, partition))?;
    let Some(fence_epoch) = noted else { return Ok(()) };
    let row_counts = compute_row_counts_at_start(config, job, &opening.restored_shard, start_offset, fence_epoch);
    let claim = PartitionClaim {
        partition,
        epoch: fence_epoch,
        row_counts,
        checkpoint_rows: Vec::new(),
        read_position: opening.read_position(start_offset),
        missing_rows: MissingRowsPolicy::GrantClaim,
    };
    if let ClaimOutcome::Stale(stored) = config.row_fence.claim_partition(&claim, retry.abandonment)? {
        epoch_claim::withdraw_claim(store, partition, opening.epoch, stored);
        return Err(
            DamagedState::MissingCheckpoint { place: store.place().to_owned(), partition, epoch: stored }.into()
        );
    }
    epoch_claim::forget_refusing_fence(store, partition);
    if opening.epoch <= fence_epoch {
        opening.epoch =
            retry.retry_while_unreachable(|| epoch_claim::claim_epoch(config, partition, fence_epoch + 1))?.epoch;
    }
    Ok(())
}

fn record_missing_rows(missing: &[MissingRows], metrics: &MissingRowsMetrics, now_ms: i64) {
    for rows in missing {
        error!(
            partition = rows.partition,
            view = rows.view_name,
            missing_rows = rows.row_count(),
            "the row store has lost rows, and no checkpoint is old enough to write them again: {rows}"
        );
    }
    metrics.add_missing_rows(missing, now_ms);
}

fn restored_older(restored: RestoredPartition) -> FenceClaimOutcome {
    FenceClaimOutcome::RestoredOlder(Box::new(restored))
}

/// Returns the offsets that the log of `partition` shares with the history before `position`, if the log has lost records
/// of this history. Asks the log's history, or compares with the offsets `held_now` if the history is unknown.
fn find_records_before_loss(
    retry: &StoreRetry<'_>,
    partition: Partition,
    position: LogPosition,
    held_now: Option<HeldOffsets>,
) -> Result<Option<HeldOffsets>, Halt> {
    let shared = retry.find_shared_offsets(partition, position)?.or(held_now);
    Ok(shared.filter(|shared| !position.is_within(*shared)))
}

/// The outcome of a search for a checkpoint that is older than the restored one.
enum OlderCheckpoint {
    Restored(Box<RestoredPartition>),
    /// The restored checkpoint is the best one, or the only readable one.
    None(Box<RestoredPartition>),
}

/// Restores the best checkpoint within `limits` for `opening`, whose row store has lost rows. The worker computes the lost
/// rows again from there. A job that begins from a restore source for the first time keeps its state: it is the operator's
/// choice.
fn restore_older_checkpoint(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    mut opening: RestoredPartition,
    limits: CheckpointLimits,
) -> Result<OlderCheckpoint, Halt> {
    let restored_id = |shard: &RestoredShard| shard.manifest.as_ref().map(|manifest| manifest.checkpoint_id);
    let earlier_limits = std::mem::replace(&mut opening.checkpoint_limits, limits);
    let Some(from) = restored_id(&opening.restored_shard) else {
        return Ok(OlderCheckpoint::None(Box::new(opening)));
    };
    let newest_first: Vec<_> = opening.restored_shard.kept_manifests.iter().rev().cloned().collect();
    let best = opening.checkpoint_limits.rank_manifests(&newest_first).first().map(|manifest| manifest.checkpoint_id);
    if best.is_none_or(|best| best >= from) {
        return Ok(OlderCheckpoint::None(Box::new(opening)));
    }
    let started = retry.clock.monotonic_now();
    // The process needs only one of the two shards in memory.
    opening.restored_shard.shard = job.new_shard();
    let older = restore_initial_shard(retry, job, opening.partition, &opening.checkpoint_limits, None)?;
    if restored_id(&older) == Some(from) {
        // The older checkpoints cannot be read.
        opening.restored_shard = older;
        return Ok(OlderCheckpoint::None(Box::new(opening)));
    }
    let Some(to) = restored_id(&older).filter(|to| *to < from) else {
        // No checkpoint within the new limits can be read.
        opening.restored_shard = restore_initial_shard(retry, job, opening.partition, &earlier_limits, None)?;
        return Ok(OlderCheckpoint::None(Box::new(opening)));
    };
    warn!(
        partition = opening.partition,
        from_checkpoint = %from,
        to_checkpoint = %to,
        offset = older.checkpoint_offset(),
        "the row store has lost rows that the checkpoint counts; going back to an older checkpoint to write them again"
    );
    let has_all_rows = match (&older.manifest, &opening.checkpoint_limits.row_store_answer) {
        (Some(manifest), Some(answer)) => answer.include_rows_of(manifest),
        _ => true,
    };
    let restore_duration = opening.restore_duration + retry.clock.monotonic_now().saturating_sub(started);
    let missing_rows_policy = if has_all_rows { MissingRowsPolicy::RefuseClaim } else { MissingRowsPolicy::GrantClaim };
    let older = RestoredPartition { restored_shard: older, restore_duration, missing_rows_policy, ..opening };
    Ok(OlderCheckpoint::Restored(Box::new(older)))
}
