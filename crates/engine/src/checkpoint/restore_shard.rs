//! Restores a shard from the state objects that a manifest names.
//!
//! Owns: the assignment of stored state to the views of the job. Invariant: the job halts rather than drop state
//! without permission.

use tracing::warn;
use windrow_core::{EventTime, Shard, ShardMetadata, ShardRestore};

use super::format::{FormatFault, ObjectDamage, UnusableObject};
use super::manifest::CheckpointManifest;
use super::state_object;
use super::store::CheckpointStore;
use super::store_retry::StoreRetry;
use crate::halt::{ChangedViews, DroppedView, NewerState, ViewChange};
use crate::{Halt, JobDefinition};

/// The result of reading a part of a checkpoint. Damage does not halt the job while an older checkpoint may be
/// readable.
pub(super) enum CheckpointReadOutcome<T> {
    Whole(T),
    Damaged(UnusableObject),
}

/// A restored shard, and the position of each view's state in the manifest.
pub(super) struct ShardFromManifest {
    pub(super) shard: Shard,
    /// For every view of the job, the index of its state among the views of the manifest; `None` without state.
    pub(super) stored_view_indexes: Vec<Option<usize>>,
}

/// Restores a shard from the state objects of `manifest`.
pub(super) fn restore_shard(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    job: &JobDefinition,
    manifest: &CheckpointManifest,
) -> Result<CheckpointReadOutcome<ShardFromManifest>, Halt> {
    let indexes = match_stored_views(retry, job, manifest)?;
    let targets = (0..manifest.views.len()).map(|stored| indexes.iter().position(|index| *index == Some(stored)));
    let mut restore = ShardRestore::new(job.new_shard(), manifest.slots, targets.collect());
    for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
        let bytes = retry.retry(|| store.read(&part.name))?;
        let applied = match &bytes {
            None => Err(ObjectDamage::Missing.into()),
            Some(bytes) if !part.matches_object(bytes) => Err(ObjectDamage::ManifestMismatch.into()),
            Some(bytes) => state_object::unpack_state(bytes).and_then(|state| {
                restore.load_layer_part(&state).map_err(|damage| ObjectDamage::InvalidSnapshot(damage).into())
            }),
        };
        if let Err(fault) = applied {
            let object = part.name.clone();
            return halt_if_newer_format(UnusableObject { object, fault }, store).map(CheckpointReadOutcome::Damaged);
        }
    }
    let emitted_rows = indexes.iter().map(|index| index.map_or(0, |stored| manifest.views[stored].rows)).collect();
    let metadata = ShardMetadata {
        watermark: manifest.watermark_ms.map(EventTime::from_ms),
        slot_count: manifest.slots,
        entity_count: 0,
        emitted_row_counts: emitted_rows,
    };
    Ok(match restore.finish(&metadata) {
        Ok(shard) => CheckpointReadOutcome::Whole(ShardFromManifest { shard, stored_view_indexes: indexes }),
        Err(damage) => CheckpointReadOutcome::Damaged(UnusableObject::from_damage(
            "its state",
            ObjectDamage::InvalidSnapshot(damage),
        )),
    })
}

/// Returns a halt if the object's format is newer. Otherwise returns the object, so that an older checkpoint can be
/// used.
pub(super) fn halt_if_newer_format(
    unusable: UnusableObject,
    store: &dyn CheckpointStore,
) -> Result<UnusableObject, Halt> {
    match unusable.fault {
        FormatFault::Damaged(_) => Ok(unusable),
        FormatFault::Newer { .. } => {
            let UnusableObject { object, fault } = unusable;
            Err(NewerState { object, place: store.place().to_owned(), source: fault }.into())
        }
    }
}

/// Returns, for every view of the job, the index of its state in `manifest`. Halts if state would be dropped without
/// permission.
fn match_stored_views(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    manifest: &CheckpointManifest,
) -> Result<Vec<Option<usize>>, Halt> {
    let definitions: Vec<String> = job.views.iter().map(|view| view.definition_text(&job.schema)).collect();
    let stored_index = |name: &str, definition: &str| {
        manifest.views.iter().position(|stored| stored.name == name && stored.definition == definition)
    };
    let indexes: Vec<_> =
        job.views.iter().zip(&definitions).map(|(view, definition)| stored_index(&view.name, definition)).collect();
    let mut dropped = Vec::new();
    for (index, stored) in manifest.views.iter().enumerate() {
        if indexes.contains(&Some(index)) {
            continue;
        }
        if retry.config.droppable_view_names.contains(&stored.name) {
            warn!(partition = manifest.partition, view = stored.name, "its state is dropped, as asked");
            continue;
        }
        let current = job.views.iter().zip(&definitions).find(|(view, _)| *view.name == *stored.name);
        let change = match current {
            Some((_, current)) => ViewChange::Redefined {
                stored_definition: stored.definition.clone(),
                pipeline_definition: current.clone(),
            },
            None => ViewChange::Removed,
        };
        dropped.push(DroppedView { name: stored.name.clone(), change });
    }
    if !dropped.is_empty() {
        let kept = job.views.iter().zip(&indexes).filter(|(_, index)| index.is_some());
        let kept = kept.map(|(view, _)| view.name.to_string()).collect();
        return Err(ChangedViews {
            checkpoint: manifest.id,
            partition: manifest.partition,
            dropped,
            kept_view_names: kept,
        }
        .into());
    }
    for (view, _) in job.views.iter().zip(&indexes).filter(|(_, index)| index.is_none()) {
        let view = &*view.name;
        warn!(partition = manifest.partition, view, "no state of this feature view is stored: its windows begin here");
    }
    Ok(indexes)
}
