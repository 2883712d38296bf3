//! Inspecting checkpoints and savepoints without restoring them.
//!
//! Owns: what there is in a store, whether it is whole ([`StateObjectReader`]), which views' state a pipeline would keep
//! ([`compare_views`]). Does not own: which checkpoint a job continues from, and when it halts (`find_checkpoint`).
//! Invariants: (1) nothing is changed; (2) what cannot be used is named with its object and the reason, and never keeps
//! the rest from being inspected.

mod state_objects;
mod view_compatibility;

use std::collections::BTreeMap;

pub use state_objects::{StateContents, StateObjectReader};
pub use view_compatibility::{ComparedView, ViewCompatibility, compare_views};

use super::format::{ObjectDamage, UnusableObject};
use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::savepoint_content::SavepointContent;
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::identifiers::Partition;

/// A checkpoint in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCheckpoint {
    /// Its partition.
    pub partition: Partition,
    /// Identifies it among the partition's checkpoints.
    pub id: CheckpointId,
    /// The version of its format, where it claims one.
    pub format: Option<u32>,
    /// Its manifest, or why it cannot be read.
    pub manifest: Result<CheckpointManifest, UnusableObject>,
}

/// A savepoint in a job's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSavepoint {
    /// Its name.
    pub id: String,
    /// What it holds, `None` where it is not whole; or why that cannot be read.
    pub content: Result<Option<SavepointContent>, UnusableObject>,
}

/// What a folder is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FolderKind {
    /// It holds nothing of Windrow's.
    Nothing,
    /// A job's own folder.
    Job {
        /// The number of complete checkpoints in it; perhaps none yet.
        checkpoints: usize,
    },
    /// A whole savepoint.
    Savepoint(SavepointContent),
    /// Partitions of a savepoint that is still being taken, or never was whole: it has no object `savepoint`.
    IncompleteSavepoint,
    /// A savepoint whose object `savepoint` cannot be read.
    UnreadableSavepoint(UnusableObject),
}

/// What a folder is, and the checkpoints in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderContents {
    /// What it is.
    pub kind: FolderKind,
    /// All checkpoints, by partition, oldest first.
    pub checkpoints: Vec<StoredCheckpoint>,
}

/// Returns what `store` is: a job's folder, a savepoint, or neither.
///
/// # Errors
/// When the store does not answer.
pub fn identify_folder(store: &dyn CheckpointStore) -> Result<FolderKind, StoreFault> {
    identify_listed_folder(store, &store.list("")?)
}

fn identify_listed_folder(store: &dyn CheckpointStore, listed: &[ListedObject]) -> Result<FolderKind, StoreFault> {
    // Looked for in the list: in a job's folder `savepoint` is a folder.
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
        FolderKind::Job { checkpoints }
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

/// Returns what `store` is, and all checkpoints in it.
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
                Ok(_) => Err(UnusableObject::damaged(&object.name, ObjectDamage::OtherCheckpoint)),
                Err(fault) => Err(UnusableObject { object: object.name.clone(), fault }),
            };
            let format = CheckpointManifest::format_version(&bytes);
            checkpoints.push(StoredCheckpoint { partition, id, format, manifest });
        }
    }
    checkpoints.sort_by_key(|checkpoint| (checkpoint.partition, checkpoint.id));
    Ok(checkpoints)
}

/// Returns whether a checkpoint that was listed before still exists.
///
/// # Errors
/// When the store does not answer.
pub fn checkpoint_exists(store: &dyn CheckpointStore, checkpoint: &StoredCheckpoint) -> Result<bool, StoreFault> {
    Ok(store.read(&object_names::manifest_object(checkpoint.partition, checkpoint.id))?.is_some())
}

/// Returns, for every partition, the checkpoint that a job would continue from, as far as manifests tell.
#[must_use]
pub fn newest_per_partition(checkpoints: &[StoredCheckpoint]) -> Vec<&CheckpointManifest> {
    let readable = checkpoints.iter().filter_map(|checkpoint| checkpoint.manifest.as_ref().ok());
    let newest: BTreeMap<Partition, &CheckpointManifest> =
        readable.map(|manifest| (manifest.partition, manifest)).collect();
    newest.into_values().collect()
}

/// Returns the savepoints in the job's folder `store`, by name.
///
/// # Errors
/// When the store does not answer.
pub fn list_savepoints(store: &dyn CheckpointStore) -> Result<Vec<StoredSavepoint>, StoreFault> {
    let mut is_whole: BTreeMap<String, bool> = BTreeMap::new();
    for object in store.list(object_names::SAVEPOINTS_FOLDER)? {
        if let Some((id, object)) = object_names::split_savepoint_object(&object.name) {
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
