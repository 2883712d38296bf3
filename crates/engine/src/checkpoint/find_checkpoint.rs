//! Finds the checkpoint from which a partition continues, and restores the shard from this checkpoint.
//!
//! Owns: the decision to halt the job if no checkpoint may be used. Does not own: which checkpoint is best
//! (`checkpoint_limits`), how a shard is restored from its state objects (`restore_shard`).
//! Invariants: (1) An unreadable checkpoint is logged, and the next best checkpoint is used. (2) A partition is not opened
//! if all its checkpoints are unreadable. (3) The job halts if the state belongs to another job.
//! (4) A manifest whose state objects are missing takes no place of a readable checkpoint.

use std::collections::BTreeSet;

use tracing::{error, warn};
use windrow_core::BaseOrDelta;

use super::checkpoint_limits::CheckpointLimits;
use super::config::StateIdentity;
use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_errors::{ObjectDamage, ObjectFault, UnusableObject};
use super::object_names::{self, ParsedObjectName};
use super::opened_partition::RestoredShard;
use super::overtaken_checkpoints::find_overtaken_checkpoints;
use super::restore_shard::{CheckpointReadOutcome, ShardFromManifest, halt_if_newer_format, restore_shard};
use super::store::{CheckpointStore, ListedObject, StoreFault};
use super::store_retry::StoreRetry;
use crate::halt::{
    AddedPartitions, CheckpointPlace, DamagedCheckpoint, DamagedState, ForeignState, PipelineAndTopic, RecreatedTopic,
};
use crate::{Halt, JobDefinition, Partition};

/// The maximum number of manifests that are read side by side.
const MANIFESTS_PER_READ: usize = 16;

/// The outcome of a search for a readable checkpoint.
enum CheckpointSearchOutcome {
    /// A readable checkpoint was found, and its shard is restored.
    Restored(Box<RestoredShard>),
    /// The store holds no checkpoint of the partition that fulfils the limits.
    NoCheckpoint {
        /// The number that the partition's next checkpoint will get.
        next_checkpoint_number: u64,
    },
}

/// Restores the shard with which `partition` begins. Normally, the state comes from the partition's newest readable
/// checkpoint in the job's own store, or from the best older one within `limits`. If the job begins from a restore
/// source for the first time, the state comes from this restore source instead. `listed_objects` are the objects of the
/// partition in the job's own store; if they are `None`, this function lists them.
pub(super) fn restore_initial_shard(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    partition: Partition,
    limits: &CheckpointLimits,
    listed_objects: Option<&[ListedObject]>,
) -> Result<RestoredShard, Halt> {
    let own = &*retry.checkpoint_config.checkpoint_store;
    let listed_now: Vec<ListedObject>;
    let listed_objects = if let Some(listed) = listed_objects {
        listed
    } else {
        listed_now = list_partition_objects(retry, own, partition)?;
        &listed_now
    };
    let listed = PartitionListing { partition, objects: listed_objects };
    let ids = find_checkpoint_ids(listed_objects);
    let Some(source) = &retry.checkpoint_config.restore_source else {
        return Ok(match restore_best_checkpoint(retry, own, job, limits, listed)? {
            CheckpointSearchOutcome::Restored(restored) => *restored,
            CheckpointSearchOutcome::NoCheckpoint { next_checkpoint_number: next_number } => {
                RestoredShard::without_checkpoint(job, next_number)
            }
        });
    };
    let place = source.source_store.place();
    let mut has_begun = false;
    for &id in ids.iter().rev() {
        if let CheckpointReadOutcome::Whole(manifest) = read_manifest(retry, own, partition, id)? {
            has_begun = manifest.origin_savepoint_place.as_deref() == Some(place);
            break;
        }
    }
    // The job's own checkpoint shows that the job began from this restore source at an earlier start. So the job
    // continues from its own checkpoint, which is newer than the restore source. If none is within the limits, it begins
    // anew: the objects of the restore source are in another store.
    if has_begun {
        return Ok(match restore_best_checkpoint(retry, own, job, limits, listed)? {
            CheckpointSearchOutcome::Restored(restored) => *restored,
            CheckpointSearchOutcome::NoCheckpoint { next_checkpoint_number } => RestoredShard {
                origin_savepoint_place: Some(place.to_owned()),
                ..RestoredShard::without_checkpoint(job, next_checkpoint_number)
            },
        });
    }
    // The job begins from the restore source for the first time. It does not read state from its own store, so damaged
    // checkpoints there do not halt the job.
    let source_store = &*source.source_store;
    let source_objects = list_partition_objects(retry, source_store, partition)?;
    let listed = PartitionListing { partition, objects: &source_objects };
    match restore_best_checkpoint(retry, source_store, job, limits, listed)? {
        CheckpointSearchOutcome::Restored(restored) => {
            let mut restored = *restored;
            restored.kept_manifests = Vec::new();
            restored.next_checkpoint_number = next_checkpoint_number(&ids);
            restored.origin_savepoint_place = Some(place.to_owned());
            restored.next_base_or_delta = BaseOrDelta::Base;
            Ok(restored)
        }
        CheckpointSearchOutcome::NoCheckpoint { .. } => {
            Err(ForeignState::NoPartition { place: place.to_owned(), partition }.into())
        }
    }
}

/// Restores the shard from the best readable one of the `listed` checkpoints in `store`. Searches again if no listed
/// checkpoint can be read and the list has changed meanwhile: the owner of a larger epoch has then deleted the listed
/// checkpoints, while this process was slow or suspended. The fence refuses this process's claim later.
fn restore_best_checkpoint(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    job: &JobDefinition,
    limits: &CheckpointLimits,
    listed: PartitionListing<'_>,
) -> Result<CheckpointSearchOutcome, Halt> {
    let PartitionListing { partition, objects } = listed;
    let mut objects = objects.to_vec();
    loop {
        let listed = PartitionListing { partition, objects: &objects };
        let found = restore_best_listed_checkpoint(retry, store, job, limits, listed);
        if !matches!(found, Err(Halt::DamagedState(_))) {
            return found;
        }
        let objects_now = list_partition_objects(retry, store, partition)?;
        let ids_now = find_checkpoint_ids(&objects_now);
        // No owner deletes its newest checkpoint, so an empty list never means a partition without state.
        if ids_now == find_checkpoint_ids(&objects) || ids_now.is_empty() {
            return found;
        }
        warn!(partition, "another worker has replaced the checkpoints that were being read; searching again");
        objects = objects_now;
    }
}

/// The objects of a partition that the store listed.
#[derive(Clone, Copy)]
struct PartitionListing<'a> {
    partition: Partition,
    objects: &'a [ListedObject],
}

impl PartitionListing<'_> {
    /// Returns the names of the state objects.
    fn state_object_names(&self) -> BTreeSet<&str> {
        let is_state = |name: &&str| matches!(object_names::parse_object_name(name), ParsedObjectName::State(..));
        self.objects.iter().map(|object| object.object_name.as_str()).filter(is_state).collect()
    }
}

fn list_partition_objects(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    partition: Partition,
) -> Result<Vec<ListedObject>, Halt> {
    retry.retry_while_unreachable(|| store.list_objects(&object_names::partition_folder(partition)))
}

/// Restores the shard from the best readable one of the `listed` checkpoints in `store`.
fn restore_best_listed_checkpoint(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    job: &JobDefinition,
    limits: &CheckpointLimits,
    listed: PartitionListing<'_>,
) -> Result<CheckpointSearchOutcome, Halt> {
    let PartitionListing { partition, objects } = listed;
    let ids = find_checkpoint_ids(objects);
    let next_number = next_checkpoint_number(&ids);
    let overtaken = find_overtaken_checkpoints(ids.iter().copied());
    let ids: Vec<CheckpointId> = ids.iter().copied().filter(|id| !overtaken.contains(id)).collect();
    let (mut manifests, mut damaged) = (Vec::new(), Vec::new());
    let newest_first: Vec<CheckpointId> = ids.iter().rev().copied().collect();
    for ids in newest_first.chunks(MANIFESTS_PER_READ) {
        let names: Vec<_> = ids.iter().map(|&id| object_names::manifest_object_name(partition, id)).collect();
        let objects = retry.retry_while_unreachable(|| store.read_objects(&names))?;
        for (&id, object) in ids.iter().zip(objects) {
            match check_manifest(store, partition, id, object)? {
                CheckpointReadOutcome::Whole(manifest) => manifests.push(manifest),
                CheckpointReadOutcome::Damaged(unusable_object) => {
                    damaged.push(DamagedCheckpoint { checkpoint_id: id, unusable_object });
                }
            }
        }
    }
    for manifest in limits.rank_manifests(&manifests) {
        halt_if_other_job_or_topic(retry, manifest, store)?;
        let id = manifest.checkpoint_id;
        match restore_shard(retry, store, job, manifest)? {
            CheckpointReadOutcome::Whole(ShardFromManifest {
                shard,
                stored_view_index_by_job_view,
                has_same_views,
                completeness,
            }) => {
                log_damaged_checkpoints(partition, &damaged);
                // If the views or the number of partitions have changed, the next snapshot is a base. The manifest of
                // this base holds the new views and the new number of partitions. So the operator need not permit the
                // same change again at the next start.
                let is_unchanged = has_same_views
                    && manifest.topic_partition_count == retry.checkpoint_config.state_identity.partition_count;
                let is_damaged = |id: CheckpointId| damaged.iter().any(|one| one.checkpoint_id == id);
                // The next delta continues the restored checkpoint, so this is the newest of the kept ones. The next
                // complete checkpoint replaces those that are newer.
                let state_objects = listed.state_object_names();
                let has_all_parts = |other: &CheckpointManifest| {
                    let mut parts = other.layers.iter().flat_map(|layer| &layer.parts);
                    parts.all(|part| state_objects.contains(part.object_name.as_str()))
                };
                // A store may create the manifest of a failed checkpoint after the state objects of this checkpoint were
                // deleted. Such a manifest takes no place of a readable checkpoint.
                let is_readable = |other: &CheckpointManifest| {
                    other.checkpoint_id == id
                        || (other.checkpoint_id < id && !is_damaged(other.checkpoint_id) && has_all_parts(other))
                };
                let mut kept_manifests: Vec<_> = manifests.iter().filter(|other| is_readable(other)).cloned().collect();
                kept_manifests.reverse();
                return Ok(CheckpointSearchOutcome::Restored(Box::new(RestoredShard {
                    shard,
                    stored_view_index_by_job_view,
                    completeness,
                    kept_manifests,
                    next_checkpoint_number: next_number,
                    origin_savepoint_place: manifest.origin_savepoint_place.clone(),
                    // A deletion of the objects of an older checkpoint may still be under way, so no delta may build on
                    // them.
                    next_base_or_delta: if is_unchanged && ids.last() == Some(&id) {
                        BaseOrDelta::Delta
                    } else {
                        BaseOrDelta::Base
                    },
                    manifest: Some(manifest.clone()),
                })));
            }
            CheckpointReadOutcome::Damaged(unusable_object) => {
                damaged.push(DamagedCheckpoint { checkpoint_id: id, unusable_object });
            }
        }
    }
    // If a readable checkpoint is not within the limits, the caller decides what follows.
    if damaged.len() < ids.len() || ids.is_empty() {
        log_damaged_checkpoints(partition, &damaged);
        Ok(CheckpointSearchOutcome::NoCheckpoint { next_checkpoint_number: next_number })
    } else {
        Err(DamagedState::NoReadableCheckpoint { place: store.place().to_owned(), partition, damaged }.into())
    }
}

/// Logs which checkpoints cannot be read although the partition can be opened. If it cannot, the fault names them.
fn log_damaged_checkpoints(partition: Partition, damaged: &[DamagedCheckpoint]) {
    for DamagedCheckpoint { checkpoint_id, unusable_object } in damaged {
        error!(
            partition,
            checkpoint = %checkpoint_id,
            reason = %unusable_object,
            "a checkpoint cannot be read; using the checkpoint before it"
        );
    }
}

/// Reads the manifest of checkpoint `id`. A manifest counts as damaged if it is missing, was altered, or belongs to
/// another checkpoint.
fn read_manifest(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    partition: Partition,
    id: CheckpointId,
) -> Result<CheckpointReadOutcome<CheckpointManifest>, Halt> {
    let object = object_names::manifest_object_name(partition, id);
    let bytes = retry.retry_while_unreachable(|| store.read_object(&object))?;
    check_manifest(store, partition, id, bytes)
}

/// Decodes `bytes`, the content of the manifest of checkpoint `id`; `None` if the manifest is missing.
fn check_manifest(
    store: &dyn CheckpointStore,
    partition: Partition,
    id: CheckpointId,
    bytes: Option<Vec<u8>>,
) -> Result<CheckpointReadOutcome<CheckpointManifest>, Halt> {
    let object = object_names::manifest_object_name(partition, id);
    let fault = match bytes.map(|bytes| CheckpointManifest::decode(&bytes)) {
        Some(Ok(manifest)) if manifest.checkpoint_id == id && manifest.partition == partition => {
            return Ok(CheckpointReadOutcome::Whole(manifest));
        }
        Some(Ok(_)) => ObjectFault::Damaged(ObjectDamage::OtherCheckpoint),
        Some(Err(fault)) => fault,
        None => ObjectFault::Damaged(ObjectDamage::Missing),
    };
    halt_if_newer_format(UnusableObject { object_name: object, fault }, store).map(CheckpointReadOutcome::Damaged)
}

/// Returns a halt if the manifest belongs to another pipeline, to another topic, or to an earlier topic of the same
/// name. Also returns a halt if the manifest states another number of partitions than the topic has now. The setting
/// `accepts_added_partitions` prevents this second halt.
fn halt_if_other_job_or_topic(
    retry: &StoreRetry<'_>,
    manifest: &CheckpointManifest,
    store: &dyn CheckpointStore,
) -> Result<(), Halt> {
    let StateIdentity { pipeline_name, topic, topic_id, partition_count: partitions } =
        &retry.checkpoint_config.state_identity;
    let stored = PipelineAndTopic { pipeline_name: manifest.pipeline_name.clone(), topic: manifest.topic.clone() };
    let job = PipelineAndTopic { pipeline_name: pipeline_name.clone(), topic: topic.clone() };
    let place = store.place().to_owned();
    if stored != job {
        return Err(ForeignState::OtherJob { place, stored: Box::new(stored), job: Box::new(job) }.into());
    }
    let checkpoint = Some(Box::new(CheckpointPlace {
        checkpoint_id: manifest.checkpoint_id,
        partition: manifest.partition,
        store_place: place,
    }));
    if let (Some(known_topic_id), Some(found_topic_id)) = (&manifest.topic_id, topic_id)
        && known_topic_id != found_topic_id
    {
        let (topic, known_topic_id, found_topic_id) = (topic.clone(), known_topic_id.clone(), found_topic_id.clone());
        return Err(RecreatedTopic { topic, known_topic_id, found_topic_id, known_from_checkpoint: checkpoint }.into());
    }
    if manifest.topic_partition_count != *partitions && !retry.checkpoint_config.accepts_added_partitions {
        let (known_partition_count, found_partition_count) = (manifest.topic_partition_count, *partitions);
        return Err(AddedPartitions {
            topic: topic.clone(),
            known_partition_count,
            found_partition_count,
            known_from_checkpoint: checkpoint,
        }
        .into());
    }
    Ok(())
}

fn next_checkpoint_number(ids: &[CheckpointId]) -> u64 {
    ids.iter().map(|id| id.checkpoint_number + 1).max().unwrap_or(1)
}

/// Returns the ids of all checkpoints of `partition`, oldest first.
pub(super) fn list_checkpoint_ids(
    store: &dyn CheckpointStore,
    partition: Partition,
) -> Result<Vec<CheckpointId>, StoreFault> {
    Ok(find_checkpoint_ids(&store.list_objects(&object_names::checkpoints_folder(partition))?))
}

/// Returns the ids of the checkpoints among `objects`, which belong to one partition, oldest first.
fn find_checkpoint_ids(objects: &[ListedObject]) -> Vec<CheckpointId> {
    let id = |object: &ListedObject| match object_names::parse_object_name(&object.object_name) {
        ParsedObjectName::Checkpoint(_, id) => Some(id),
        _ => None,
    };
    let mut ids: Vec<_> = objects.iter().filter_map(id).collect();
    ids.sort_unstable();
    ids
}
