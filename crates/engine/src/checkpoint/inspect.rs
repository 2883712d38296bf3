//! Inspects checkpoints and savepoints without restoring them.
//!
//! Owns: listing the content of a store, checking its state objects ([`StateObjectReader`]), comparing its views with a
//! pipeline ([`compare_views`]). Does not own: the choice of the checkpoint that a job continues from
//! (`find_checkpoint`).
//! Invariants: (1) Inspecting changes nothing. (2) An unusable object is reported with its name and the reason, and the
//! inspection continues.

mod state_objects;
mod view_compatibility;

use std::collections::BTreeMap;

pub use state_objects::{StateByteCounts, StateObjectReader};
pub use view_compatibility::{ComparedView, ViewCompatibility, compare_views};

use super::format::{ObjectDamage, UnusableObject};
use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::savepoint_content::SavepointContent;
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::identifiers::Partition;

/// A checkpoint that a store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCheckpoint {
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The id of the checkpoint among those of its partition.
    pub id: CheckpointId,
    /// The format version in the manifest's title line; `None` without a title line.
    pub format_version: Option<u32>,
    /// The manifest, or why the manifest cannot be read.
    pub manifest: Result<CheckpointManifest, UnusableObject>,
}

/// A savepoint in the folder of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSavepoint {
    /// The name of the savepoint.
    pub id: String,
    /// The content of the savepoint; `None` if the savepoint is incomplete. An error says why the content cannot be
    /// read.
    pub content: Result<Option<SavepointContent>, UnusableObject>,
}

/// The kind of a folder in a checkpoint store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FolderKind {
    /// The folder holds no objects of Windrow.
    Nothing,
    /// The folder in which a job keeps its checkpoints.
    Job {
        /// The number of checkpoints in the folder; may be 0.
        checkpoint_count: usize,
    },
    /// The folder is a complete savepoint.
    Savepoint(SavepointContent),
    /// The folder holds partitions of a savepoint, but no object `savepoint`: the savepoint is being taken, or was
    /// never completed.
    IncompleteSavepoint,
    /// The folder is a savepoint whose object `savepoint` cannot be read.
    UnreadableSavepoint(UnusableObject),
}

/// The kind of a folder, and the checkpoints in the folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderContents {
    /// The kind of the folder.
    pub kind: FolderKind,
    /// All checkpoints in the folder, by partition, oldest first.
    pub checkpoints: Vec<StoredCheckpoint>,
}

/// Returns the kind of the folder `store`.
///
/// # Errors
/// When the store does not answer.
pub fn identify_folder(store: &dyn CheckpointStore) -> Result<FolderKind, StoreFault> {
    identify_listed_folder(store, &store.list("")?)
}

fn identify_listed_folder(store: &dyn CheckpointStore, listed: &[ListedObject]) -> Result<FolderKind, StoreFault> {
    // The list is searched first, because in a job's folder the name `savepoint` is a folder.
    if listed.iter().any(|object| object.name == object_names::SAVEPOINT_OBJECT)
        && let Some(object) = store.read(object_names::SAVEPOINT_OBJECT)?
    {
        return Ok(match read_savepoint_content(object_names::SAVEPOINT_OBJECT, &object) {
            Ok(content) => FolderKind::Savepoint(content),
            Err(unusable) => FolderKind::UnreadableSavepoint(unusable),
        });
    }
    let parsed = || listed.iter().map(|object| object_names::parse_object_name(&object.name));
    let checkpoints = parsed().filter(|name| matches!(name, ParsedObjectName::Checkpoint(..))).count();
    Ok(if parsed().any(|name| matches!(name, ParsedObjectName::Epoch(..))) {
        FolderKind::Job { checkpoint_count: checkpoints }
    } else if checkpoints > 0 || parsed().any(|name| matches!(name, ParsedObjectName::State(..))) {
        FolderKind::IncompleteSavepoint
    } else {
        FolderKind::Nothing
    })
}

/// Returns all checkpoints in `store`, by partition, oldest first.
///
/// # Errors
/// When the store does not answer.
pub fn list_checkpoints(store: &dyn CheckpointStore) -> Result<Vec<StoredCheckpoint>, StoreFault> {
    read_listed_checkpoints(store, &store.list("")?)
}

/// Returns the kind of the folder `store`, and all its checkpoints.
///
/// # Errors
/// When the store does not answer.
pub fn inspect_folder(store: &dyn CheckpointStore) -> Result<FolderContents, StoreFault> {
    let listed = store.list("")?;
    let kind = identify_listed_folder(store, &listed)?;
    Ok(FolderContents { kind, checkpoints: read_listed_checkpoints(store, &listed)? })
}

fn read_listed_checkpoints(
    store: &dyn CheckpointStore,
    listed: &[ListedObject],
) -> Result<Vec<StoredCheckpoint>, StoreFault> {
    let mut checkpoints = Vec::new();
    for object in listed {
        if let ParsedObjectName::Checkpoint(partition, id) = object_names::parse_object_name(&object.name) {
            let Some(bytes) = store.read(&object.name)? else { continue }; // deleted in the meantime
            let manifest = match CheckpointManifest::decode(&bytes) {
                Ok(manifest) if manifest.id == id && manifest.partition == partition => Ok(manifest),
                Ok(_) => Err(UnusableObject::from_damage(&object.name, ObjectDamage::OtherCheckpoint)),
                Err(fault) => Err(UnusableObject { object: object.name.clone(), fault }),
            };
            let format = CheckpointManifest::parse_format_version(&bytes);
            checkpoints.push(StoredCheckpoint { partition, id, format_version: format, manifest });
        }
    }
    checkpoints.sort_by_key(|checkpoint| (checkpoint.partition, checkpoint.id));
    Ok(checkpoints)
}

/// Returns whether a checkpoint that was listed earlier still exists.
///
/// # Errors
/// When the store does not answer.
pub fn checkpoint_exists(store: &dyn CheckpointStore, checkpoint: &StoredCheckpoint) -> Result<bool, StoreFault> {
    Ok(store.read(&object_names::manifest_object_name(checkpoint.partition, checkpoint.id))?.is_some())
}

/// Returns the newest readable manifest of every partition. State objects are not checked.
#[must_use]
pub fn newest_manifest_per_partition(checkpoints: &[StoredCheckpoint]) -> Vec<&CheckpointManifest> {
    let readable = checkpoints.iter().filter_map(|checkpoint| checkpoint.manifest.as_ref().ok());
    let newest: BTreeMap<Partition, &CheckpointManifest> =
        readable.map(|manifest| (manifest.partition, manifest)).collect();
    newest.into_values().collect()
}

/// Returns the savepoints in the job's folder `store`, sorted by name.
///
/// # Errors
/// When the store does not answer.
pub fn list_savepoints(store: &dyn CheckpointStore) -> Result<Vec<StoredSavepoint>, StoreFault> {
    let mut is_whole: BTreeMap<String, bool> = BTreeMap::new();
    for object in store.list(object_names::SAVEPOINTS_FOLDER)? {
        if let Some((id, object)) = object_names::split_savepoint_object_name(&object.name) {
            *is_whole.entry(id.to_owned()).or_default() |= object == object_names::SAVEPOINT_OBJECT;
        }
    }
    let read_savepoint = |(id, is_whole): (String, bool)| {
        let name = format!("{}/{}", object_names::default_savepoint_folder(&id), object_names::SAVEPOINT_OBJECT);
        let object = if is_whole { store.read(&name)? } else { None };
        let content = object.map(|object| read_savepoint_content(&name, &object)).transpose();
        Ok(StoredSavepoint { id, content })
    };
    is_whole.into_iter().map(read_savepoint).collect()
}

fn read_savepoint_content(name: &str, object: &[u8]) -> Result<SavepointContent, UnusableObject> {
    SavepointContent::decode(object).map_err(|fault| UnusableObject { object: name.to_owned(), fault })
}
