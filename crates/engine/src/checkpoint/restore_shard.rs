//! Restores a shard from the state objects that a manifest names.
//!
//! Owns: the decision which feature view of the job gets which stored state. Invariant: state of a view is dropped only
//! with the operator's permission. Otherwise the job halts.

use tracing::warn;
use windrow_core::{EventTime, Shard, ShardMetadata, ShardRestore};

use super::manifest::{CheckpointLayer, CheckpointManifest, StatePart};
use super::object_errors::{ObjectDamage, ObjectFault, UnusableObject};
use super::state_object;
use super::store::CheckpointStore;
use super::store_retry::StoreRetry;
use crate::halt::{ChangedViews, DroppedView, NewerState, ViewChange};
use crate::{Halt, JobDefinition};

/// The maximum number of state objects that are read side by side. A checkpoint has at most 20 layers, and most deltas are
/// one small object each.
const MAX_PARTS_PER_READ: usize = 16;
/// The maximum size of the state objects that are read side by side. Several partitions are restored at once, and each
/// holds one group in memory.
const MAX_BYTES_PER_READ: u64 = 8 << 20;

/// The outcome of reading a checkpoint or only its manifest. A damaged checkpoint does not halt the job, because an
/// older checkpoint may be readable.
pub(super) enum CheckpointReadOutcome<T> {
    /// The checkpoint or manifest was read completely.
    Whole(T),
    /// An object of the checkpoint is damaged or missing.
    Damaged(UnusableObject),
}

/// A shard that was restored from the state objects of a manifest.
pub(super) struct ShardFromManifest {
    pub(super) shard: Shard,
    /// For every feature view of the job, the index of the same view in the manifest; `None` if the manifest lacks the
    /// view.
    pub(super) stored_view_index_by_job_view: Vec<Option<usize>>,
}

/// A state object of a layer.
#[derive(Clone, Copy)]
struct LayerPart<'a> {
    part: &'a StatePart,
    is_last_of_layer: bool,
}

fn list_layer_parts(layer: &CheckpointLayer) -> impl Iterator<Item = LayerPart<'_>> {
    let last = layer.parts.len().saturating_sub(1);
    layer.parts.iter().enumerate().map(move |(index, part)| LayerPart { part, is_last_of_layer: index == last })
}

/// Splits `parts` into groups that are read side by side. A group holds at most [`MAX_PARTS_PER_READ`] parts, and at most
/// [`MAX_BYTES_PER_READ`] bytes or one part.
fn group_parts_by_size<'a, 'b>(parts: &'b [LayerPart<'a>]) -> Vec<&'b [LayerPart<'a>]> {
    let (mut groups, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (index, one) in parts.iter().enumerate() {
        let size = one.part.object_byte_count;
        if index > begin && (bytes + size > MAX_BYTES_PER_READ || index - begin == MAX_PARTS_PER_READ) {
            groups.push(&parts[begin..index]);
            (begin, bytes) = (index, 0);
        }
        bytes += size;
    }
    if begin < parts.len() {
        groups.push(&parts[begin..]);
    }
    groups
}

/// Restores a shard from the state objects that `manifest` names.
pub(super) fn restore_shard(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    job: &JobDefinition,
    manifest: &CheckpointManifest,
) -> Result<CheckpointReadOutcome<ShardFromManifest>, Halt> {
    let indexes = match_stored_views(retry, job, manifest)?;
    let targets = (0..manifest.views.len()).map(|stored| indexes.iter().position(|index| *index == Some(stored)));
    let mut restore = ShardRestore::new(job.new_shard(), manifest.slot_count, targets.collect());
    let parts: Vec<LayerPart<'_>> = manifest.layers.iter().flat_map(list_layer_parts).collect();
    for group in group_parts_by_size(&parts) {
        let names: Vec<String> = group.iter().map(|one| one.part.object_name.clone()).collect();
        let objects = retry.retry_while_unreachable(|| store.read_objects(&names))?;
        for (LayerPart { part, is_last_of_layer }, bytes) in group.iter().zip(objects) {
            let applied = match &bytes {
                None => Err(ObjectDamage::Missing.into()),
                Some(bytes) if !part.matches_size_and_checksum(bytes) => Err(ObjectDamage::ManifestMismatch.into()),
                Some(bytes) => state_object::unpack_state(bytes).and_then(|state| {
                    let loaded = restore.load_layer_part(&state);
                    let loaded = loaded.and_then(|()| if *is_last_of_layer { restore.finish_layer() } else { Ok(()) });
                    loaded.map_err(|damage| ObjectDamage::InvalidSnapshot(damage).into())
                }),
            };
            if let Err(fault) = applied {
                let object_name = part.object_name.clone();
                return halt_if_newer_format(UnusableObject { object_name, fault }, store)
                    .map(CheckpointReadOutcome::Damaged);
            }
        }
    }
    let emitted_rows =
        indexes.iter().map(|index| index.map_or(0, |stored| manifest.views[stored].last_row_number)).collect();
    let metadata = ShardMetadata {
        watermark: manifest.watermark_ms.map(EventTime::from_ms),
        watermark_by_events: manifest.watermark_by_events_ms.or(manifest.watermark_ms).map(EventTime::from_ms),
        slot_count: manifest.slot_count,
        entity_count: 0,
        emitted_row_counts: emitted_rows,
    };
    Ok(match restore.finish(&metadata) {
        Ok(shard) => CheckpointReadOutcome::Whole(ShardFromManifest { shard, stored_view_index_by_job_view: indexes }),
        Err(damage) => CheckpointReadOutcome::Damaged(UnusableObject::from_damage(
            "the combined state objects",
            ObjectDamage::InvalidSnapshot(damage),
        )),
    })
}

/// Decides what follows from `unusable`, the error about a state object that cannot be read. Returns a halt if only a
/// newer version of Windrow can read the object. Returns `unusable` unchanged if the object is damaged, because the job
/// can then continue from an older checkpoint.
pub(super) fn halt_if_newer_format(
    unusable: UnusableObject,
    store: &dyn CheckpointStore,
) -> Result<UnusableObject, Halt> {
    match unusable.fault {
        ObjectFault::Damaged(_) => Ok(unusable),
        ObjectFault::Newer { .. } => {
            let UnusableObject { object_name, fault } = unusable;
            Err(NewerState { object_name, store_place: store.place().to_owned(), source: fault }.into())
        }
    }
}

/// Returns, for every feature view of the job, the index of the same view in `manifest`; `None` if the manifest lacks
/// the view. Returns a halt if state would be dropped without the operator's permission.
fn match_stored_views(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    manifest: &CheckpointManifest,
) -> Result<Vec<Option<usize>>, Halt> {
    let definitions: Vec<String> = job.views.iter().map(|view| view.definition_text(&job.schema)).collect();
    let stored_index = |name: &str, definition: &str| {
        manifest.views.iter().position(|stored| stored.view_name == name && stored.view_definition == definition)
    };
    let indexes: Vec<_> =
        job.views.iter().zip(&definitions).map(|(view, definition)| stored_index(&view.name, definition)).collect();
    let mut dropped = Vec::new();
    for (index, stored) in manifest.views.iter().enumerate() {
        if indexes.contains(&Some(index)) {
            continue;
        }
        if retry.checkpoint_config.droppable_view_names.contains(&stored.view_name) {
            warn!(
                partition = manifest.partition,
                view = stored.view_name,
                "dropping the stored state of this feature view, as permitted"
            );
            continue;
        }
        let current = job.views.iter().zip(&definitions).find(|(view, _)| *view.name == *stored.view_name);
        let change = match current {
            Some((_, current)) => ViewChange::Redefined {
                stored_definition: stored.view_definition.clone(),
                pipeline_definition: current.clone(),
            },
            None => ViewChange::Removed,
        };
        dropped.push(DroppedView { view_name: stored.view_name.clone(), view_change: change });
    }
    if !dropped.is_empty() {
        let kept = job.views.iter().zip(&indexes).filter(|(_, index)| index.is_some());
        let kept = kept.map(|(view, _)| view.name.to_string()).collect();
        return Err(ChangedViews {
            checkpoint_id: manifest.checkpoint_id,
            partition: manifest.partition,
            dropped_views: dropped,
            kept_view_names: kept,
        }
        .into());
    }
    for (view, _) in job.views.iter().zip(&indexes).filter(|(_, index)| index.is_none()) {
        let view = &*view.name;
        warn!(
            partition = manifest.partition,
            view, "the checkpoint holds no state of this feature view; its windows begin empty"
        );
    }
    Ok(indexes)
}
