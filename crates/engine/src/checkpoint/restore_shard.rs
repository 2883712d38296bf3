//! Restores a shard from the state objects that a manifest names.
//!
//! Owns: the permission to drop stored state. Does not own: which view and feature gets which stored state
//! (`state_migration`). Invariant: state of a view or feature is dropped only with the operator's permission. Otherwise
//! the job halts.

use tracing::{info, warn};
use windrow_core::{EventTime, Shard, ShardMetadata, ShardRestore};

use super::manifest::{CheckpointLayer, CheckpointManifest, StatePart};
use super::object_errors::{ObjectDamage, ObjectFault, UnusableObject};
use super::state_completeness::StateCompleteness;
use super::state_migration::{FeatureOutcome, MigratedView, StateMigration, ViewOutcome};
use super::state_object;
use super::store::CheckpointStore;
use super::store_retry::StoreRetry;
use crate::halt::{ChangedViews, DroppedFeature, DroppedView, NewerState, ViewChange};
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
    /// For every feature view of the job, the index in the manifest of the view whose windows it keeps; `None` if it begins
    /// empty.
    pub(super) stored_view_index_by_job_view: Vec<Option<usize>>,
    /// Whether the manifest has exactly the views of the job.
    pub(super) has_same_views: bool,
    pub(super) completeness: StateCompleteness,
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
    let migration = StateMigration::plan(&job.views, &job.schema, manifest);
    require_permission_to_drop_state(retry, &migration, manifest)?;
    log_migration(&migration, manifest);
    let indexes = migration.stored_view_index_by_job_view(job.views.len());
    let mut restore = ShardRestore::new(job.new_shard(), manifest.slot_count, migration.saved_view_targets());
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
        Ok(shard) => CheckpointReadOutcome::Whole(ShardFromManifest {
            completeness: find_completeness(&migration, job, manifest, &shard),
            shard,
            stored_view_index_by_job_view: indexes,
            has_same_views: migration.is_unchanged(),
        }),
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

/// Returns a halt if stored state would be dropped without the operator's permission.
fn require_permission_to_drop_state(
    retry: &StoreRetry<'_>,
    migration: &StateMigration,
    manifest: &CheckpointManifest,
) -> Result<(), Halt> {
    let permitted = &retry.checkpoint_config.droppable_state_names;
    let is_permitted =
        |view: &MigratedView, name: &String| permitted.contains(&view.view_name) || permitted.contains(name);
    let mut dropped_views = Vec::new();
    for view in &migration.views {
        if view.names_of_dropped_state().any(|name| !is_permitted(view, &name)) {
            dropped_views.push(describe_dropped_state(view, |name| is_permitted(view, name)));
        }
    }
    if dropped_views.is_empty() {
        return Ok(());
    }
    let keeps_state = |view: &&MigratedView| matches!(view.outcome, ViewOutcome::Kept | ViewOutcome::Resized { .. });
    let keeps_all_state = |view: &&MigratedView| keeps_state(view) && view.names_of_dropped_state().next().is_none();
    let kept_view_names = migration.views.iter().filter(keeps_all_state).map(|view| view.view_name.clone()).collect();
    Err(ChangedViews {
        checkpoint_id: manifest.checkpoint_id,
        partition: manifest.partition,
        dropped_views,
        kept_view_names,
    }
    .into())
}

/// Describes the state of `view` that is dropped, without the state whose name `is_permitted` accepts.
fn describe_dropped_state(view: &MigratedView, is_permitted: impl Fn(&String) -> bool) -> DroppedView {
    let view_name = view.view_name.clone();
    let view_change = match &view.outcome {
        ViewOutcome::BeginsAnew { stored_definition, pipeline_definition } => ViewChange::Redefined {
            stored_definition: stored_definition.clone(),
            pipeline_definition: pipeline_definition.clone(),
        },
        ViewOutcome::Removed => ViewChange::Removed,
        ViewOutcome::Kept | ViewOutcome::Resized { .. } | ViewOutcome::Added => {
            let (mut dropped_features, mut kept_feature_names) = (Vec::new(), Vec::new());
            for feature in &view.features {
                let feature_name = feature.feature_name.clone();
                let (stored_definition, pipeline_definition) = match &feature.outcome {
                    FeatureOutcome::Kept | FeatureOutcome::Renamed { .. } => {
                        kept_feature_names.push(feature_name);
                        continue;
                    }
                    FeatureOutcome::Added => continue,
                    FeatureOutcome::BeginsAnew { stored_definition, pipeline_definition } => {
                        (stored_definition.clone(), Some(pipeline_definition.clone()))
                    }
                    FeatureOutcome::Removed { stored_definition } => (stored_definition.clone(), None),
                };
                if !is_permitted(&format!("{view_name}.{feature_name}")) {
                    dropped_features.push(DroppedFeature { feature_name, stored_definition, pipeline_definition });
                }
            }
            ViewChange::FeaturesChanged { dropped_features, kept_feature_names }
        }
    };
    DroppedView { view_name, view_change }
}

/// Logs each view and feature whose stored state is not simply kept.
fn log_migration(migration: &StateMigration, manifest: &CheckpointManifest) {
    let partition = manifest.partition;
    for view in &migration.views {
        let name = &*view.view_name;
        match &view.outcome {
            ViewOutcome::Kept => {}
            ViewOutcome::Resized { stored_size_ms, pipeline_size_ms } => info!(
                partition,
                view = name,
                stored_size_ms,
                size_ms = pipeline_size_ms,
                "the windows of this feature view have another length; keeping their stored panes"
            ),
            ViewOutcome::BeginsAnew { .. } | ViewOutcome::Removed => {
                warn!(partition, view = name, "dropping the stored state of this feature view, as permitted");
                continue;
            }
            ViewOutcome::Added => {
                warn!(
                    partition,
                    view = name,
                    "the checkpoint holds no state of this feature view; its windows begin empty"
                );
                continue;
            }
        }
        for feature in &view.features {
            let (feature_name, complete_from_ms) = (&*feature.feature_name, feature.complete_from_ms);
            match &feature.outcome {
                FeatureOutcome::Kept => {}
                FeatureOutcome::Renamed { stored_name } => info!(
                    partition,
                    view = name,
                    feature = feature_name,
                    stored_name,
                    "keeping the stored state of this feature under its new name"
                ),
                FeatureOutcome::Added => info!(
                    partition,
                    view = name,
                    feature = feature_name,
                    complete_from_ms,
                    "the checkpoint holds no state of this feature; it begins empty"
                ),
                FeatureOutcome::BeginsAnew { .. } => warn!(
                    partition,
                    view = name,
                    feature = feature_name,
                    complete_from_ms,
                    "dropping the stored state of this feature, as permitted; it begins anew"
                ),
                FeatureOutcome::Removed { .. } => warn!(
                    partition,
                    view = name,
                    feature = feature_name,
                    "dropping the stored state of this feature, as permitted"
                ),
            }
        }
    }
}

/// Returns from which windows on the features of the restored `shard` are complete.
fn find_completeness(
    migration: &StateMigration,
    job: &JobDefinition,
    manifest: &CheckpointManifest,
    shard: &Shard,
) -> StateCompleteness {
    let mut complete_from_ms_by_view = migration.complete_from_by_view(&job.views);
    for (view_index, (view, features)) in job.views.iter().zip(&mut complete_from_ms_by_view).enumerate() {
        let Some(watermark) = shard.watermark() else { continue };
        if features.iter().all(Option::is_none) {
            continue;
        }
        // Only a look at all sessions tells whether one of them began before.
        let earliest_session = shard.earliest_session_start(view_index).unwrap_or(EventTime::LATEST);
        for from in features {
            *from = from.filter(|&from_ms| {
                let from = EventTime::from_ms(from_ms);
                view.may_fire_incomplete_window(from, watermark, Some(earliest_session))
            });
        }
    }
    let latest_event_time_ms = manifest.latest_event_time().map(EventTime::ms);
    StateCompleteness { complete_from_ms_by_view, latest_event_time_ms }
}
