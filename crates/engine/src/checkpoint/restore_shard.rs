//! Restoring a shard from the state objects that a manifest names.
//!
//! Owns: which state belongs to which view of the job. Invariant: state that would be dropped without permission halts the
//! job.

use tracing::warn;
use windrow_core::{EventTime, Shard, ShardMetadata, ShardRestore};

use super::format::{FormatFault, ObjectDamage, UnusableObject};
use super::manifest::CheckpointManifest;
use super::state_object;
use super::store::CheckpointStore;
use super::store_retry::StoreRetry;
use crate::halt::{ChangedViews, DroppedView, NewerState, ViewChange};
use crate::{Halt, JobDefinition};

/// What reading a part of a checkpoint gave. Damage is no reason to halt while an older checkpoint may be readable.
pub(super) enum ReadOutcome<T> {
    Whole(T),
    Damaged(UnusableObject),
}

/// A shard, and where the state of its views was in the manifest.
pub(super) struct ShardFromManifest {
    pub(super) shard: Shard,
    /// For every view of the job, the index of its state among the views of the manifest.
    pub(super) stored_view_indexes: Vec<Option<usize>>,
}

/// Restores the shard of `manifest`.
pub(super) fn restore_shard(
    retry: &StoreRetry<'_>,
    store: &dyn CheckpointStore,
    job: &JobDefinition,
    manifest: &CheckpointManifest,
) -> Result<ReadOutcome<ShardFromManifest>, Halt> {
    let indexes = match_views(retry, job, manifest)?;
    let targets = (0..manifest.views.len()).map(|stored| indexes.iter().position(|index| *index == Some(stored)));
    let mut restore = ShardRestore::new(job.new_shard(), manifest.slots, targets.collect());
    for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
        let bytes = retry.retry(|| store.read(&part.name))?;
        let applied = match &bytes {
            None => Err(ObjectDamage::Missing.into()),
            Some(bytes) if !part.matches(bytes) => Err(ObjectDamage::Replaced.into()),
            Some(bytes) => state_object::unpack_state(bytes)
                .and_then(|state| restore.apply_piece(&state).map_err(|damage| ObjectDamage::Snapshot(damage).into())),
        };
        if let Err(fault) = applied {
            let object = part.name.clone();
            return halt_if_newer(UnusableObject { object, fault }, store).map(ReadOutcome::Damaged);
        }
    }
    let emitted_rows = indexes.iter().map(|index| index.map_or(0, |stored| manifest.views[stored].rows)).collect();
    let metadata = ShardMetadata {
        watermark: manifest.watermark_ms.map(EventTime::from_ms),
        slot_count: manifest.slots,
        entity_count: 0,
        emitted_rows,
    };
    Ok(match restore.finish(&metadata) {
        Ok(shard) => ReadOutcome::Whole(ShardFromManifest { shard, stored_view_indexes: indexes }),
        Err(damage) => ReadOutcome::Damaged(UnusableObject::damaged("its state", ObjectDamage::Snapshot(damage))),
    })
}

/// Returns a halt for an object whose format is newer; otherwise the object, so that the generation before can be used.
pub(super) fn halt_if_newer(unusable: UnusableObject, store: &dyn CheckpointStore) -> Result<UnusableObject, Halt> {
    match unusable.fault {
        FormatFault::Damaged(_) => Ok(unusable),
        FormatFault::Newer { .. } => {
            let UnusableObject { object, fault } = unusable;
            Err(NewerState { object, place: store.place().to_owned(), source: fault }.into())
        }
    }
}

/// Returns, for every view of the job, the index of its state in `manifest`. Halts where state would be dropped and that
/// was not allowed.
fn match_views(
    retry: &StoreRetry<'_>,
    job: &JobDefinition,
    manifest: &CheckpointManifest,
) -> Result<Vec<Option<usize>>, Halt> {
    let definitions: Vec<String> = job.views.iter().map(|view| view.definition(&job.schema)).collect();
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
        if retry.config.droppable_views.contains(&stored.name) {
            warn!(partition = manifest.partition, view = stored.name, "its state is dropped, as asked");
            continue;
        }
        let current = job.views.iter().zip(&definitions).find(|(view, _)| *view.name == *stored.name);
        let change = match current {
            Some((_, current)) => ViewChange::Redefined { stored: stored.definition.clone(), current: current.clone() },
            None => ViewChange::Removed,
        };
        dropped.push(DroppedView { name: stored.name.clone(), change });
    }
    if !dropped.is_empty() {
        let kept = job.views.iter().zip(&indexes).filter(|(_, index)| index.is_some());
        let kept = kept.map(|(view, _)| view.name.to_string()).collect();
        return Err(ChangedViews { checkpoint: manifest.id, partition: manifest.partition, dropped, kept }.into());
    }
    for (view, _) in job.views.iter().zip(&indexes).filter(|(_, index)| index.is_none()) {
        let view = &*view.name;
        warn!(partition = manifest.partition, view, "no state of this feature view is stored: its windows begin here");
    }
    Ok(indexes)
}
