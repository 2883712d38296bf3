//! Finds the checkpoint that a partition continues from.
//!
//! Owns: the choice of the checkpoint, and the decision to halt instead. Does not own: how a shard reads its state
//! (`restore_shard`).
//! Invariants: (1) An unreadable checkpoint is logged, and the checkpoint before it is used. (2) The job halts when
//! checkpoints exist but none can be read. (3) The job halts on state that belongs to another job.

use tracing::error;
use windrow_core::SnapshotScope;

use super::config::StateIdentity;
use super::format::{FormatFault, ObjectDamage, UnusableObject};
use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::opened_partition::RestoredShard;
use super::restore_shard::{CheckpointReadOutcome, ShardFromManifest, halt_if_newer_format, restore_shard};
use super::store::{CheckpointStore, StoreFault};
use super::store_retry::StoreRetry;
use crate::halt::{
    AddedPartitions, CheckpointPlace, DamagedCheckpoint, DamagedState, ForeignState, PipelineAndTopic, RecreatedTopic,
};
use crate::{Halt, JobDefinition, Partition};

/// The outcome of a search for the newest readable checkpoint.
enum CheckpointSearchOutcome {
    /// The newest readable checkpoint was found, and its shard is restored.
    Restored(Box<RestoredShard>),
    /// The store holds no checkpoint of the partition.
    NoCheckpoint {
        /// The number of the partition's first checkpoint.
        next_checkpoint_number: u64,
    },
}

/// Restores the shard of `partition` from the newest readable checkpoint, or from the restore source of the job.
pub(super) fn restore_starting_shard(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    partition: Partition,
) -> Result<RestoredShard, Halt> {
    let own = &*retry.config.store;
    let Some(source) = &retry.config.restore_source else {
        return Ok(match restore_newest_readable_checkpoint(retry, own, job, partition)? {
            CheckpointSearchOutcome::Restored(restored) => *restored,
            CheckpointSearchOutcome::NoCheckpoint { next_checkpoint_number: next_number } => {
                RestoredShard::empty(job, next_number)
            }
        });
    };
    let place = source.store.place();
    let ids = retry.retry(|| list_checkpoint_ids(own, partition))?;
    let mut has_begun = false;
    for &id in ids.iter().rev() {
        if let CheckpointReadOutcome::Whole(manifest) = read_manifest(retry, own, partition, id)? {
            has_begun = manifest.from.as_deref() == Some(place);
            break;
        }
    }
    // A process of this job began from the restore source before. The job continues, and does not go back a second
    // time.
    if has_begun
        && let CheckpointSearchOutcome::Restored(restored) =
            restore_newest_readable_checkpoint(retry, own, job, partition)?
    {
        return Ok(*restored);
    }
    // The state in the job's own store is ignored, even if it is damaged.
    match restore_newest_readable_checkpoint(retry, &*source.store, job, partition)? {
        CheckpointSearchOutcome::Restored(restored) => {
            let mut restored = *restored;
            restored.kept_manifests = Vec::new();
            restored.next_checkpoint_number = next_checkpoint_number(&ids);
            restored.origin_savepoint_place = Some(place.to_owned());
            restored.next_snapshot_scope = SnapshotScope::Everything;
            Ok(restored)
        }
        CheckpointSearchOutcome::NoCheckpoint { .. } => {
            Err(ForeignState::NoPartition { place: place.to_owned(), partition }.into())
        }
    }
}

/// Restores the shard from the newest readable checkpoint of `partition` in `store`.
fn restore_newest_readable_checkpoint(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    job: &JobDefinition,
    partition: Partition,
) -> Result<CheckpointSearchOutcome, Halt> {
    let ids = retry.retry(|| list_checkpoint_ids(store, partition))?;
    let next_number = next_checkpoint_number(&ids);
    let (mut restored, mut readable, mut damaged) = (None::<RestoredShard>, Vec::new(), Vec::new());
    for &id in ids.iter().rev() {
        let manifest = match read_manifest(retry, store, partition, id)? {
            CheckpointReadOutcome::Whole(manifest) => manifest,
            CheckpointReadOutcome::Damaged(object) => {
                damaged.push(log_damaged_checkpoint(partition, id, object));
                continue;
            }
        };
        if restored.is_some() {
            readable.push(manifest);
            continue;
        }
        check_state_identity(retry, &manifest, store)?;
        match restore_shard(retry, store, job, &manifest)? {
            CheckpointReadOutcome::Whole(ShardFromManifest { shard, stored_view_indexes }) => {
                // After a change of views or partitions, the next snapshot is a base. The next start then needs no
                // permission again.
                let is_unchanged = stored_view_indexes.iter().copied().eq((0..manifest.views.len()).map(Some))
                    && manifest.partitions == retry.config.identity.partition_count;
                restored = Some(RestoredShard {
                    shard,
                    stored_view_indexes,
                    kept_manifests: Vec::new(),
                    next_checkpoint_number: next_number,
                    origin_savepoint_place: manifest.from.clone(),
                    next_snapshot_scope: if is_unchanged { SnapshotScope::Changes } else { SnapshotScope::Everything },
                    manifest: Some(manifest.clone()),
                });
                readable.push(manifest);
            }
            CheckpointReadOutcome::Damaged(object) => damaged.push(log_damaged_checkpoint(partition, id, object)),
        }
    }
    readable.reverse();
    match restored {
        Some(restored) => {
            Ok(CheckpointSearchOutcome::Restored(Box::new(RestoredShard { kept_manifests: readable, ..restored })))
        }
        None if damaged.is_empty() => Ok(CheckpointSearchOutcome::NoCheckpoint { next_checkpoint_number: next_number }),
        None => Err(DamagedState::NoReadableCheckpoint { place: store.place().to_owned(), partition, damaged }.into()),
    }
}

/// Logs an unusable checkpoint and returns a description of the damage.
fn log_damaged_checkpoint(partition: Partition, id: CheckpointId, object: UnusableObject) -> DamagedCheckpoint {
    error!(partition, checkpoint = %id, reason = %object, "a checkpoint cannot be read; using the one before it");
    DamagedCheckpoint { id, object }
}

fn read_manifest(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    partition: Partition,
    id: CheckpointId,
) -> Result<CheckpointReadOutcome<CheckpointManifest>, Halt> {
    let object = object_names::manifest_object_name(partition, id);
    let fault = match retry.retry(|| store.read(&object))?.map(|bytes| CheckpointManifest::decode(&bytes)) {
        Some(Ok(manifest)) if manifest.id == id && manifest.partition == partition => {
            return Ok(CheckpointReadOutcome::Whole(manifest));
        }
        Some(Ok(_)) => FormatFault::Damaged(ObjectDamage::OtherCheckpoint),
        Some(Err(fault)) => fault,
        None => FormatFault::Damaged(ObjectDamage::Missing),
    };
    halt_if_newer_format(UnusableObject { object, fault }, store).map(CheckpointReadOutcome::Damaged)
}

fn check_state_identity(
    retry: &StoreRetry<'_>,
    manifest: &CheckpointManifest,
    store: &dyn CheckpointStore,
) -> Result<(), Halt> {
    let StateIdentity { pipeline, topic, topic_id, partition_count: partitions } = &retry.config.identity;
    let stored = PipelineAndTopic { pipeline: manifest.pipeline.clone(), topic: manifest.topic.clone() };
    let job = PipelineAndTopic { pipeline: pipeline.clone(), topic: topic.clone() };
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

/// Returns the ids of all checkpoints of `partition`, oldest first.
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
