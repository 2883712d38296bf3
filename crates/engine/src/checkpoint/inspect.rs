//! Lists checkpoints and savepoints, and checks whether they can be read. Restores no shard.
//!
//! Owns: listing the checkpoints and savepoints in a store, checking state objects ([`StateObjectReader`]). Does not own:
//! the choice of the checkpoint that a job continues from (`find_checkpoint`), the comparison of stored views with a
//! pipeline ([`super::state_migration`]).
//! Invariants: (1) An inspection writes and deletes no objects. (2) An unusable object does not end an inspection. The
//! result names the object and the reason.

mod state_objects;

use std::collections::BTreeMap;

pub use state_objects::{StateByteCounts, StateObjectReader};

use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_errors::{ObjectDamage, UnusableObject};
use super::object_names::{self, ParsedObjectName};
use super::overtaken_checkpoints::find_overtaken_checkpoints;
use super::savepoint_summary::SavepointSummary;
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::identifiers::Partition;

/// A checkpoint that a store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCheckpoint {
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The id of the checkpoint, from the name of the manifest's object.
    pub checkpoint_id: CheckpointId,
    /// The format version in the title line of the manifest; `None` if the first line of the object is not such a title
    /// line.
    pub manifest_format_version: Option<u32>,
    /// The manifest, or the reason why the manifest cannot be read.
    pub manifest: Result<CheckpointManifest, UnusableObject>,
}

/// A savepoint in the default place: a subfolder of the job's checkpoint folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSavepoint {
    /// The unique name of the savepoint.
    pub savepoint_id: String,
    /// The object `savepoint`, or the reason why this object cannot be read. `None` if the object does not exist,
    /// because the savepoint is incomplete.
    pub savepoint_summary: Result<Option<SavepointSummary>, UnusableObject>,
}

/// What a folder in a checkpoint store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FolderKind {
    /// The folder holds no objects of Windrow.
    Nothing,
    /// The folder holds the checkpoints of a job.
    Job {
        /// The number of checkpoints in the folder; 0 if partitions were claimed but no checkpoint is complete.
        checkpoint_count: usize,
    },
    /// The folder holds a complete savepoint.
    Savepoint(SavepointSummary),
    /// The folder holds partitions of a savepoint, but no object `savepoint`. The savepoint is still being taken, or
    /// was not completed.
    IncompleteSavepoint,
    /// The folder holds a savepoint whose object `savepoint` cannot be read.
    UnreadableSavepoint(UnusableObject),
}

/// The kind of a folder in a checkpoint store, and the checkpoints in the folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderContents {
    /// What the folder holds.
    pub folder_kind: FolderKind,
    /// All checkpoints in the folder, sorted by partition, then from the oldest to the newest.
    pub checkpoints: Vec<StoredCheckpoint>,
}

/// Returns whether the folder at which `store` was opened holds a job's checkpoints, a savepoint, or nothing.
///
/// # Errors
/// When the store does not answer.
pub fn identify_folder_kind(store: &dyn CheckpointStore) -> Result<FolderKind, StoreFault> {
    identify_folder_kind_from_list(store, &store.list_objects("")?)
}

fn identify_folder_kind_from_list(
    store: &dyn CheckpointStore,
    listed: &[ListedObject],
) -> Result<FolderKind, StoreFault> {
    // In a job's folder on a file system, `savepoint` is a directory, and an attempt to read a directory fails. So
    // `savepoint` is read only if the list contains an object of this name.
    if listed.iter().any(|object| object.object_name == object_names::SAVEPOINT_SUMMARY_OBJECT)
        && let Some(object) = store.read_object(object_names::SAVEPOINT_SUMMARY_OBJECT)?
    {
        return Ok(match read_savepoint_summary(object_names::SAVEPOINT_SUMMARY_OBJECT, &object) {
            Ok(summary) => FolderKind::Savepoint(summary),
            Err(unusable) => FolderKind::UnreadableSavepoint(unusable),
        });
    }
    let parsed = || listed.iter().map(|object| object_names::parse_object_name(&object.object_name));
    let checkpoints = parsed().filter(|name| matches!(name, ParsedObjectName::Checkpoint(..))).count();
    Ok(if parsed().any(|name| matches!(name, ParsedObjectName::Epoch(..))) {
        FolderKind::Job { checkpoint_count: checkpoints }
    } else if checkpoints > 0 || parsed().any(|name| matches!(name, ParsedObjectName::State(..))) {
        FolderKind::IncompleteSavepoint
    } else {
        FolderKind::Nothing
    })
}

/// Returns all checkpoints in `store`, sorted by partition, then from the oldest to the newest. Omits those that were created too
/// late to count.
///
/// # Errors
/// When the store does not answer.
pub fn list_checkpoints(store: &dyn CheckpointStore) -> Result<Vec<StoredCheckpoint>, StoreFault> {
    read_listed_checkpoints(store, &store.list_objects("")?)
}

/// Returns the kind of the folder at which `store` was opened, and all checkpoints in this folder.
///
/// # Errors
/// When the store does not answer.
pub fn inspect_folder(store: &dyn CheckpointStore) -> Result<FolderContents, StoreFault> {
    let listed = store.list_objects("")?;
    let kind = identify_folder_kind_from_list(store, &listed)?;
    Ok(FolderContents { folder_kind: kind, checkpoints: read_listed_checkpoints(store, &listed)? })
}

fn read_listed_checkpoints(
    store: &dyn CheckpointStore,
    listed: &[ListedObject],
) -> Result<Vec<StoredCheckpoint>, StoreFault> {
    let mut checkpoints = Vec::new();
    for object in listed {
        if let ParsedObjectName::Checkpoint(partition, id) = object_names::parse_object_name(&object.object_name) {
            // A running job may have deleted the checkpoint after the list was read.
            let Some(bytes) = store.read_object(&object.object_name)? else { continue };
            let manifest = match CheckpointManifest::decode(&bytes) {
                Ok(manifest) if manifest.checkpoint_id == id && manifest.partition == partition => Ok(manifest),
                Ok(_) => Err(UnusableObject::from_damage(&object.object_name, ObjectDamage::OtherCheckpoint)),
                Err(fault) => Err(UnusableObject { object_name: object.object_name.clone(), fault }),
            };
            let format = CheckpointManifest::parse_format_version(&bytes);
            checkpoints.push(StoredCheckpoint {
                partition,
                checkpoint_id: id,
                manifest_format_version: format,
                manifest,
            });
        }
    }
    let mut ids_by_partition: BTreeMap<Partition, Vec<CheckpointId>> = BTreeMap::new();
    for StoredCheckpoint { partition, checkpoint_id, .. } in &checkpoints {
        ids_by_partition.entry(*partition).or_default().push(*checkpoint_id);
    }
    for (partition, ids) in ids_by_partition {
        let overtaken = find_overtaken_checkpoints(ids);
        checkpoints
            .retain(|checkpoint| checkpoint.partition != partition || !overtaken.contains(&checkpoint.checkpoint_id));
    }
    checkpoints.sort_by_key(|checkpoint| (checkpoint.partition, checkpoint.checkpoint_id));
    Ok(checkpoints)
}

/// Returns whether the manifest of `checkpoint` still exists. A running job may have deleted the checkpoint after the
/// list was read.
///
/// # Errors
/// When the store does not answer.
pub fn checkpoint_exists(store: &dyn CheckpointStore, checkpoint: &StoredCheckpoint) -> Result<bool, StoreFault> {
    Ok(store
        .read_object(&object_names::manifest_object_name(checkpoint.partition, checkpoint.checkpoint_id))?
        .is_some())
}

/// Returns, for every partition in `checkpoints`, the newest readable manifest. Does not check whether the manifest's
/// state objects can be read.
#[must_use]
pub fn find_newest_manifest_per_partition(checkpoints: &[StoredCheckpoint]) -> Vec<&CheckpointManifest> {
    let readable = checkpoints.iter().filter_map(|checkpoint| checkpoint.manifest.as_ref().ok());
    let newest: BTreeMap<Partition, &CheckpointManifest> =
        readable.map(|manifest| (manifest.partition, manifest)).collect();
    newest.into_values().collect()
}

/// Returns the savepoints in the default place: subfolders of the job's checkpoint folder. The store `store` must be
/// opened at the checkpoint folder. The savepoints are sorted by name.
///
/// # Errors
/// When the store does not answer.
pub fn list_savepoints(store: &dyn CheckpointStore) -> Result<Vec<StoredSavepoint>, StoreFault> {
    let mut is_whole: BTreeMap<String, bool> = BTreeMap::new();
    for object in store.list_objects(object_names::SAVEPOINTS_FOLDER)? {
        if let Some((id, object)) = object_names::split_savepoint_object_name(&object.object_name) {
            *is_whole.entry(id.to_owned()).or_default() |= object == object_names::SAVEPOINT_SUMMARY_OBJECT;
        }
    }
    let read_savepoint = |(id, is_whole): (String, bool)| {
        let name =
            format!("{}/{}", object_names::default_savepoint_folder(&id), object_names::SAVEPOINT_SUMMARY_OBJECT);
        let object = if is_whole { store.read_object(&name)? } else { None };
        let summary = object.map(|object| read_savepoint_summary(&name, &object)).transpose();
        Ok(StoredSavepoint { savepoint_id: id, savepoint_summary: summary })
    };
    is_whole.into_iter().map(read_savepoint).collect()
}

fn read_savepoint_summary(name: &str, object: &[u8]) -> Result<SavepointSummary, UnusableObject> {
    SavepointSummary::decode(object).map_err(|fault| UnusableObject { object_name: name.to_owned(), fault })
}
