//! Restores a partition whose source has lost records that were already read, for example after an unclean election of a
//! Kafka leader.
//!
//! The state at the lost offset includes lost records, and the offsets after the end of the log will identify other
//! records. So the partition continues from a checkpoint whose offset still exists, or begins anew.
//! Owns: this choice, and making it durable. Invariants: (1) The choice is stored as a manifest of the new epoch before
//! the fence is claimed, unless another worker has claimed the partition meanwhile. So a later start continues from the
//! same state, although the log may then reach beyond the offsets of the discarded checkpoints. (2) The manifest numbers
//! rows in a new way, so that the fence skips no row of the new records. (3) The manifest names only state objects of
//! its own epoch (`copy_state_objects`). A deletion of the older checkpoint's objects may still be under way.

use tracing::warn;

use super::checkpoint_limits::CheckpointLimits;
use super::copy_state_objects::StateObjectCopies;
use super::create_object::create_or_compare_object;
use super::epoch_claim;
use super::find_checkpoint::restore_initial_shard;
use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, FormerNumbering, StoredView};
use super::object_names;
use super::opened_partition::{RestoredPartition, RestoredShard};
use super::restore_shard::CheckpointReadOutcome;
use super::row_numbering_fingerprint::derive_fingerprint_after_restart;
use super::store::StoreFault;
use super::store_retry::StoreRetry;
use crate::halt::{CheckpointStoreFault, share_error};
use crate::{Epoch, Halt, HeldOffsets, JobDefinition, Offset, Partition};

/// Restores the newest checkpoint of the partition in `opening` that begins at one of the `held_offsets`, or begins with
/// empty state at the first of them. In each case, the rows of the partition get new numbers.
pub(super) fn restore_behind_truncation(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    mut opening: RestoredPartition,
    held_offsets: HeldOffsets,
) -> Result<RestoredPartition, Halt> {
    let (partition, epoch) = (opening.partition, opening.epoch);
    let known = opening.checkpoint_limits.held_offsets.unwrap_or(held_offsets);
    let held_offsets = held_offsets.ending_no_later_than(known);
    let row_store_answer = opening.checkpoint_limits.row_store_answer.take();
    opening.checkpoint_limits = CheckpointLimits { held_offsets: Some(held_offsets), row_store_answer };
    // The worker needs only one of the two shards in memory.
    opening.restored_shard.shard = job.new_shard();
    let RestoredCopy { shard: mut restored, layers } = restore_and_copy_state(retry, job, &opening)?;
    let discarded = opening.restored_shard.manifest.take();
    let id = CheckpointId { epoch, checkpoint_number: restored.next_checkpoint_number };
    let manifest = match &restored.manifest {
        Some(continued) => {
            warn!(
                partition,
                checkpoint = %continued.checkpoint_id,
                offset = continued.offset,
                "the source has lost records that were already read; going back to an older checkpoint"
            );
            CheckpointManifest { layers, ..continue_manifest(continued, discarded.as_ref(), id) }
        }
        None => {
            let offset = held_offsets.first_offset;
            warn!(
                partition,
                offset,
                "the source has lost records that were already read, and no checkpoint begins at an offset that it still \
                 holds; the partition begins anew"
            );
            describe_empty_state(retry, job, id, &restored, &FirstRecord { partition, offset, discarded })
        }
    };
    let manifest = CheckpointManifest {
        taken_at_ms: retry.clock.wall_now_ms(),
        windrow_version: env!("CARGO_PKG_VERSION").to_owned(),
        process_name: retry.checkpoint_config.process_name.clone(),
        ..manifest
    };
    opening.overtaken_by = create_manifest(retry, &manifest)?;
    restored.next_checkpoint_number += 1;
    restored.kept_manifests.push(manifest.clone());
    restored.stored_view_index_by_job_view = match restored.manifest {
        Some(_) => restored.stored_view_index_by_job_view,
        None => (0..job.views.len()).map(Some).collect(),
    };
    restored.manifest = Some(manifest);
    opening.restored_shard = restored;
    Ok(opening)
}

/// A restored shard, and its state in objects of the new epoch.
struct RestoredCopy {
    shard: RestoredShard,
    /// The copied layers; empty if the partition begins anew.
    layers: Vec<CheckpointLayer>,
}

/// Restores the shard of the best checkpoint within the limits of `opening`, and copies the state objects of this
/// checkpoint. If an object disappears in between, restores the best one of the checkpoints that are still readable.
fn restore_and_copy_state(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    opening: &RestoredPartition,
) -> Result<RestoredCopy, Halt> {
    // State of a restore source cannot be continued here: its objects are in another store.
    if opening.restored_shard.kept_manifests.is_empty() {
        let RestoredShard { next_checkpoint_number, ref origin_savepoint_place, .. } = opening.restored_shard;
        let shard = RestoredShard {
            origin_savepoint_place: origin_savepoint_place.clone(),
            ..RestoredShard::without_checkpoint(job, next_checkpoint_number)
        };
        return Ok(RestoredCopy { shard, layers: Vec::new() });
    }
    let mut copies = StateObjectCopies::default();
    loop {
        let shard = restore_initial_shard(retry, job, opening.partition, &opening.checkpoint_limits, None)?;
        let Some(continued) = &shard.manifest else { return Ok(RestoredCopy { shard, layers: Vec::new() }) };
        let id = CheckpointId { epoch: opening.epoch, checkpoint_number: shard.next_checkpoint_number };
        match copies.copy_layers(retry, continued, id)? {
            CheckpointReadOutcome::Whole(layers) => return Ok(RestoredCopy { shard, layers }),
            CheckpointReadOutcome::Damaged(unusable_object) => warn!(
                partition = opening.partition,
                checkpoint = %continued.checkpoint_id,
                reason = %unusable_object,
                "a state object has disappeared while it was copied; searching for another checkpoint"
            ),
        }
    }
}

/// Returns a manifest with the state of `continued`. Its rows are numbered in a new way from there on. The row store may
/// also know the numberings of `discarded`, the checkpoint that includes lost records.
fn continue_manifest(
    continued: &CheckpointManifest,
    discarded: Option<&CheckpointManifest>,
    checkpoint_id: CheckpointId,
) -> CheckpointManifest {
    let number_anew = |view: &StoredView| {
        let fingerprint = number_rows_anew(view.row_numbering_fingerprint, checkpoint_id.epoch, continued.offset);
        let mut former_numberings = view.former_numberings_for_next(fingerprint, view.last_row_number);
        let others = numberings_of_discarded(discarded, &view.view_name, fingerprint, view.last_row_number);
        for other in others {
            let fingerprint = other.row_numbering_fingerprint;
            if former_numberings.iter().all(|known| known.row_numbering_fingerprint != fingerprint) {
                former_numberings.push(other);
            }
        }
        StoredView { row_numbering_fingerprint: fingerprint, former_numberings, ..view.clone() }
    };
    CheckpointManifest {
        checkpoint_id,
        views: continued.views.iter().map(number_anew).collect(),
        earlier_cuts: Vec::new(),
        ..continued.clone()
    }
}

/// Returns the numberings of the view `view_name` in the checkpoint `discarded`, whose rows up to `last_shared_row` are
/// still right.
fn numberings_of_discarded(
    discarded: Option<&CheckpointManifest>,
    view_name: &str,
    next_fingerprint: u64,
    last_shared_row: u64,
) -> Vec<FormerNumbering> {
    let views = discarded.into_iter().flat_map(|manifest| &manifest.views);
    let mut same_view = views.filter(|view| view.view_name == view_name);
    same_view.next().map_or_else(Vec::new, |view| view.former_numberings_for_next(next_fingerprint, last_shared_row))
}

/// Where the records of a partition begin.
struct FirstRecord {
    partition: Partition,
    offset: Offset,
    /// The checkpoint that includes lost records.
    discarded: Option<CheckpointManifest>,
}

/// Returns the manifest of a partition without state, which begins at `first`.
fn describe_empty_state(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    checkpoint_id: CheckpointId,
    restored: &RestoredShard,
    first: &FirstRecord,
) -> CheckpointManifest {
    let identity = &retry.checkpoint_config.state_identity;
    let row_numbering_fingerprint = number_rows_anew(0, checkpoint_id.epoch, first.offset);
    let former =
        |view_name: &str| numberings_of_discarded(first.discarded.as_ref(), view_name, row_numbering_fingerprint, 0);
    let views = job.views.iter().map(|view| StoredView {
        view_name: view.name.to_string(),
        view_definition: view.definition_text(&job.schema),
        last_row_number: 0,
        row_numbering_fingerprint,
        former_numberings: former(&view.name),
        features: StoredView::describe_features(view, &job.schema, &[]),
    });
    CheckpointManifest {
        checkpoint_id,
        taken_at_ms: 0,
        windrow_version: String::new(),
        process_name: String::new(),
        pipeline_name: identity.pipeline_name.clone(),
        topic: identity.topic.clone(),
        topic_id: identity.topic_id.clone(),
        topic_partition_count: identity.partition_count,
        partition: first.partition,
        offset: first.offset,
        leader_epoch: None,
        watermark_ms: None,
        watermark_by_events_ms: None,
        event_time_limit_ms: None,
        latest_event_time_ms: None,
        entity_count: 0,
        slot_count: 0,
        decoding_and_lateness_description: job.describe_decoding_and_lateness(),
        views: views.collect(),
        layers: Vec::new(),
        earlier_cuts: Vec::new(),
        origin_savepoint_place: restored.origin_savepoint_place.clone(),
    }
}

/// Returns the fingerprint of rows after records were lost. No other run has the same epoch, so no other run numbers
/// rows with this fingerprint. Stored fingerprints are hashes that include this text, so the text must never change.
fn number_rows_anew(before: u64, epoch: Epoch, offset: Offset) -> u64 {
    derive_fingerprint_after_restart(before, &format!("a truncated log, epoch {epoch}"), Some(offset))
}

/// Creates the object of `manifest`, unless another worker has claimed the partition under a larger epoch. Returns this
/// epoch, also if the claim was made during the creation.
fn create_manifest(retry: &StoreRetry<'_>, manifest: &CheckpointManifest) -> Result<Option<Epoch>, Halt> {
    let store = &*retry.checkpoint_config.checkpoint_store;
    let find_newer_epoch = || -> Result<Option<Epoch>, Halt> {
        let read = || epoch_claim::read_largest_epoch(store, manifest.partition);
        Ok(retry.retry_while_unreachable(read)?.filter(|newest| *newest > manifest.checkpoint_id.epoch))
    };
    if let Some(newer_epoch) = find_newer_epoch()? {
        return Ok(Some(newer_epoch));
    }
    let name = object_names::manifest_object_name(manifest.partition, manifest.checkpoint_id);
    let refused = |source: StoreFault| CheckpointStoreFault::Refused { place: store.place().to_owned(), source };
    let bytes = manifest.encode().map_err(|error| refused(StoreFault::Refused(share_error(error))))?;
    let is_created = retry.retry_while_unreachable(|| create_or_compare_object(store, &name, &bytes))?;
    match (is_created, find_newer_epoch()?) {
        (false, None) => Err(refused(StoreFault::Exists).into()),
        (_, newer_epoch) => Ok(newer_epoch),
    }
}
