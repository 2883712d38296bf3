//! Finding the checkpoint that a partition continues from.
//!
//! Owns: which checkpoint is used, and when the job halts instead. Does not own: how a shard reads its state
//! (`restore_shard`).
//! Invariants: (1) a checkpoint that cannot be read is named, and the one before it is used; if there are some and none can
//! be read, the job halts; (2) state that does not belong to this job halts it.

use tracing::error;
use windrow_core::SnapshotScope;

use super::config::StateIdentity;
use super::format::{FormatFault, ObjectDamage, UnusableObject};
use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::opened_partition::RestoredShard;
use super::restore_shard::{ReadOutcome, ShardFromManifest, halt_if_newer, restore_shard};
use super::store::{CheckpointStore, StoreFault};
use super::store_retry::StoreRetry;
use crate::halt::{
    AddedPartitions, CheckpointPlace, DamagedCheckpoint, DamagedState, ForeignState, JobName, RecreatedTopic,
};
use crate::{Halt, JobDefinition, Partition};

/// What looking for the newest readable checkpoint found.
enum FindOutcome {
    /// A checkpoint, restored.
    Restored(Box<RestoredShard>),
    /// The store holds no checkpoint of the partition.
    NoCheckpoint {
        /// The number of the first one.
        next_number: u64,
    },
}

/// Restores the shard of `partition` from the newest good checkpoint, or from the place that the job begins from.
pub(super) fn find_checkpoint(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    partition: Partition,
) -> Result<RestoredShard, Halt> {
    let own = &*retry.config.store;
    let Some(source) = &retry.config.restore_source else {
        return Ok(match restore_newest_readable(retry, own, job, partition)? {
            FindOutcome::Restored(restored) => *restored,
            FindOutcome::NoCheckpoint { next_number } => RestoredShard::empty(job, next_number),
        });
    };
    let place = source.store.place();
    let ids = retry.retry(|| list_checkpoint_ids(own, partition))?;
    let mut has_begun = false;
    for &id in ids.iter().rev() {
        if let ReadOutcome::Whole(manifest) = read_manifest(retry, own, partition, id)? {
            has_begun = manifest.from.as_deref() == Some(place);
            break;
        }
    }
    // The job has begun from there before, perhaps in another process: it continues, and does not go back again.
    if has_begun && let FindOutcome::Restored(restored) = restore_newest_readable(retry, own, job, partition)? {
        return Ok(*restored);
    }
    // Its own state, in whatever shape it is, does not matter otherwise.
    match restore_newest_readable(retry, &*source.store, job, partition)? {
        FindOutcome::Restored(restored) => {
            let mut restored = *restored;
            restored.kept_manifests = Vec::new();
            restored.next_number = next_checkpoint_number(&ids);
            restored.savepoint_place = Some(place.to_owned());
            restored.next_scope = SnapshotScope::Everything;
            Ok(restored)
        }
        FindOutcome::NoCheckpoint { .. } => {
            Err(ForeignState::NoPartition { place: place.to_owned(), partition }.into())
        }
    }
}

/// Restores the newest checkpoint in `store` that can be read.
fn restore_newest_readable(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    job: &JobDefinition,
    partition: Partition,
) -> Result<FindOutcome, Halt> {
    let ids = retry.retry(|| list_checkpoint_ids(store, partition))?;
    let next_number = next_checkpoint_number(&ids);
    let (mut restored, mut readable, mut damaged) = (None::<RestoredShard>, Vec::new(), Vec::new());
    for &id in ids.iter().rev() {
        let manifest = match read_manifest(retry, store, partition, id)? {
            ReadOutcome::Whole(manifest) => manifest,
            ReadOutcome::Damaged(object) => {
                damaged.push(record_damage(partition, id, object));
                continue;
            }
        };
        if restored.is_some() {
            readable.push(manifest);
            continue;
        }
        check_identity(retry, &manifest, store)?;
        match restore_shard(retry, store, job, &manifest)? {
            ReadOutcome::Whole(ShardFromManifest { shard, stored_view_indexes }) => {
                // A difference is written at once, so that the next start needs no permission again.
                let is_unchanged = stored_view_indexes.iter().copied().eq((0..manifest.views.len()).map(Some))
                    && manifest.partitions == retry.config.identity.partitions;
                restored = Some(RestoredShard {
                    shard,
                    stored_view_indexes,
                    kept_manifests: Vec::new(),
                    next_number,
                    savepoint_place: manifest.from.clone(),
                    next_scope: if is_unchanged { SnapshotScope::Changes } else { SnapshotScope::Everything },
                    manifest: Some(manifest.clone()),
                });
                readable.push(manifest);
            }
            ReadOutcome::Damaged(object) => damaged.push(record_damage(partition, id, object)),
        }
    }
    readable.reverse();
    match restored {
        Some(restored) => Ok(FindOutcome::Restored(Box::new(RestoredShard { kept_manifests: readable, ..restored }))),
        None if damaged.is_empty() => Ok(FindOutcome::NoCheckpoint { next_number }),
        None => Err(DamagedState::NoReadableCheckpoint { place: store.place().to_owned(), partition, damaged }.into()),
    }
}

/// Logs a checkpoint that cannot be used.
fn record_damage(partition: Partition, id: CheckpointId, object: UnusableObject) -> DamagedCheckpoint {
    error!(partition, checkpoint = %id, reason = %object, "a checkpoint cannot be read; using the one before it");
    DamagedCheckpoint { id, object }
}

fn read_manifest(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    partition: Partition,
    id: CheckpointId,
) -> Result<ReadOutcome<CheckpointManifest>, Halt> {
    let object = object_names::manifest_object(partition, id);
    let fault = match retry.retry(|| store.read(&object))?.map(|bytes| CheckpointManifest::decode(&bytes)) {
        Some(Ok(manifest)) if manifest.id == id && manifest.partition == partition => {
            return Ok(ReadOutcome::Whole(manifest));
        }
        Some(Ok(_)) => FormatFault::Damaged(ObjectDamage::OtherCheckpoint),
        Some(Err(fault)) => fault,
        None => FormatFault::Damaged(ObjectDamage::Missing),
    };
    halt_if_newer(UnusableObject { object, fault }, store).map(ReadOutcome::Damaged)
}

fn check_identity(
    retry: &StoreRetry<'_>,
    manifest: &CheckpointManifest,
    store: &dyn CheckpointStore,
) -> Result<(), Halt> {
    let StateIdentity { pipeline, topic, topic_id, partitions } = &retry.config.identity;
    let stored = JobName { pipeline: manifest.pipeline.clone(), topic: manifest.topic.clone() };
    let job = JobName { pipeline: pipeline.clone(), topic: topic.clone() };
    let place = store.place().to_owned();
    if stored != job {
        return Err(ForeignState::OtherJob { place, stored: Box::new(stored), job: Box::new(job) }.into());
    }
    let checkpoint = Some(Box::new(CheckpointPlace { id: manifest.id, partition: manifest.partition, place }));
    if let (Some(known_id), Some(found_id)) = (&manifest.topic_id, topic_id)
        && known_id != found_id
    {
        let (topic, known_id, found_id) = (topic.clone(), known_id.clone(), found_id.clone());
        return Err(RecreatedTopic { topic, known_id, found_id, checkpoint }.into());
    }
    if manifest.partitions != *partitions && !retry.config.accepts_added_partitions {
        let (known, found) = (manifest.partitions, *partitions);
        return Err(AddedPartitions { topic: topic.clone(), known, found, checkpoint }.into());
    }
    Ok(())
}

fn next_checkpoint_number(ids: &[CheckpointId]) -> u64 {
    ids.iter().map(|id| id.number + 1).max().unwrap_or(1)
}

/// Lists the checkpoints of `partition`, oldest first.
fn list_checkpoint_ids(store: &dyn CheckpointStore, partition: Partition) -> Result<Vec<CheckpointId>, StoreFault> {
    let listed = store.list(&object_names::checkpoints_folder(partition))?;
    let mut ids: Vec<_> = listed
        .iter()
        .filter_map(|object| match object_names::parse_object_name(&object.name) {
            ParsedObjectName::Checkpoint(_, id) => Some(id),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    Ok(ids)
}
