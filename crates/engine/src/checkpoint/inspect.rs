//! Looking at checkpoints and savepoints without restoring them.
//!
//! Owns: what there is in a store, whether it is whole ([`StateObjectReader`]), which views' state a pipeline would keep
//! ([`compare_views`]). Does not own: which checkpoint a job goes on from, and when it halts (`open`).
//! Invariants: (1) nothing is changed; (2) what cannot be used is named with its object and the reason, and never keeps
//! the rest from being looked at.

mod objects;
mod views;

use std::collections::BTreeMap;

pub use objects::{StateContents, StateObjectReader};
pub use views::{ViewCompatibility, compare_views};

use super::names::{self, ParsedObjectName};
use super::{CheckpointId, CheckpointManifest, CheckpointStore, ListedObject, ManifestFault, StoreFault, savepoint};
use crate::Partition;

/// A checkpoint in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCheckpoint {
    /// Its partition.
    pub partition: Partition,
    /// Which one it is.
    pub id: CheckpointId,
    /// The version of its format, where it says one.
    pub format: Option<u32>,
    /// Its manifest, or why it cannot be read.
    pub manifest: Result<CheckpointManifest, UnusableObject>,
}

/// A savepoint in a job's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSavepoint {
    /// Its name.
    pub id: String,
    /// What it says of itself, `None` where it is not whole; or why that cannot be read.
    pub content: Result<Option<savepoint::SavepointContent>, UnusableObject>,
}

/// An object that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object}: {fault}")]
pub struct UnusableObject {
    /// Its name.
    pub object: String,
    /// Why.
    pub fault: ManifestFault,
}

impl UnusableObject {
    fn damaged(object: &str, why: impl Into<String>) -> Self {
        Self { object: object.to_owned(), fault: ManifestFault::Damaged(why.into()) }
    }

    /// Whether it is whole, and of a format that only a newer version reads.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        matches!(self.fault, ManifestFault::Newer(..))
    }
}

/// What a folder is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FolderKind {
    /// There is nothing of ours in it.
    Nothing,
    /// A job's own folder.
    Job {
        /// The complete checkpoints in it; perhaps none yet.
        checkpoints: usize,
    },
    /// A whole savepoint.
    Savepoint(savepoint::SavepointContent),
    /// Partitions of a savepoint that is still being taken, or never was whole: it has no object `savepoint`.
    IncompleteSavepoint,
}

/// What `store` is: a job's folder, a savepoint, or neither. `Err` within: a savepoint that cannot say what it holds.
///
/// # Errors
/// When the store cannot be asked.
pub fn identify_folder(store: &dyn CheckpointStore) -> Result<Result<FolderKind, UnusableObject>, StoreFault> {
    identify_listed_folder(store, &store.list("")?)
}

fn identify_listed_folder(
    store: &dyn CheckpointStore,
    listed: &[ListedObject],
) -> Result<Result<FolderKind, UnusableObject>, StoreFault> {
    // Looked for in the list: in a job's folder `savepoint` is a folder.
    if listed.iter().any(|object| object.name == names::SAVEPOINT_OBJECT)
        && let Some(object) = store.read(names::SAVEPOINT_OBJECT)?
    {
        return Ok(read_savepoint_content(names::SAVEPOINT_OBJECT, &object).map(FolderKind::Savepoint));
    }
    let named = || listed.iter().map(|object| names::parse_object_name(&object.name));
    let checkpoints = named().filter(|named| matches!(named, ParsedObjectName::Checkpoint(..))).count();
    Ok(Ok(if named().any(|named| matches!(named, ParsedObjectName::Epoch(..))) {
        FolderKind::Job { checkpoints }
    } else if checkpoints > 0 || named().any(|named| matches!(named, ParsedObjectName::State(..))) {
        FolderKind::IncompleteSavepoint
    } else {
        FolderKind::Nothing
    }))
}

/// All checkpoints in `store`, by partition, oldest first.
///
/// # Errors
/// When the store cannot be asked.
pub fn list_checkpoints(store: &dyn CheckpointStore) -> Result<Vec<StoredCheckpoint>, StoreFault> {
    read_listed_checkpoints(store, &store.list("")?)
}

/// What `store` is, and all checkpoints in it, by partition, oldest first.
///
/// # Errors
/// When the store cannot be asked.
#[allow(clippy::type_complexity)] // an outcome within an outcome: damage is a finding
pub fn inspect_folder(
    store: &dyn CheckpointStore,
) -> Result<(Result<FolderKind, UnusableObject>, Vec<StoredCheckpoint>), StoreFault> {
    let listed = store.list("")?;
    Ok((identify_listed_folder(store, &listed)?, read_listed_checkpoints(store, &listed)?))
}

fn read_listed_checkpoints(
    store: &dyn CheckpointStore,
    listed: &[ListedObject],
) -> Result<Vec<StoredCheckpoint>, StoreFault> {
    let mut found = Vec::new();
    for object in listed {
        if let ParsedObjectName::Checkpoint(partition, id) = names::parse_object_name(&object.name) {
            let Some(bytes) = store.read(&object.name)? else { continue }; // deleted in the meantime
            let manifest = match CheckpointManifest::decode(&bytes) {
                Ok(manifest) if manifest.id == id && manifest.partition == partition => Ok(manifest),
                Ok(_) => Err(UnusableObject::damaged(&object.name, "it is another checkpoint's manifest")),
                Err(fault) => Err(UnusableObject { object: object.name.clone(), fault }),
            };
            found.push(StoredCheckpoint {
                partition,
                id,
                format: CheckpointManifest::format_version(&bytes),
                manifest,
            });
        }
    }
    found.sort_by_key(|found| (found.partition, found.id));
    Ok(found)
}

/// Whether a checkpoint that was found before is still there.
///
/// # Errors
/// When the store cannot be asked.
pub fn checkpoint_exists(store: &dyn CheckpointStore, checkpoint: &StoredCheckpoint) -> Result<bool, StoreFault> {
    Ok(store.read(&names::manifest_object(checkpoint.partition, checkpoint.id))?.is_some())
}

/// Of every partition in `found` the checkpoint that a job would go on from, as far as manifests tell.
#[must_use]
pub fn newest_per_partition(checkpoints: &[StoredCheckpoint]) -> Vec<&CheckpointManifest> {
    let readable = checkpoints.iter().filter_map(|found| found.manifest.as_ref().ok());
    let newest: BTreeMap<Partition, &CheckpointManifest> =
        readable.map(|manifest| (manifest.partition, manifest)).collect();
    newest.into_values().collect()
}

/// The savepoints in the job's folder `store`, by name.
///
/// # Errors
/// When the store cannot be asked.
pub fn list_savepoints(store: &dyn CheckpointStore) -> Result<Vec<StoredSavepoint>, StoreFault> {
    let mut whole: BTreeMap<String, bool> = BTreeMap::new();
    for object in store.list(names::SAVEPOINTS_FOLDER)? {
        if let Some((id, object)) = names::split_savepoint_object(&object.name) {
            *whole.entry(id.to_owned()).or_default() |= object == names::SAVEPOINT_OBJECT;
        }
    }
    let look = |(id, whole): (String, bool)| {
        let name = format!("{}/{}", names::default_savepoint_folder(&id), names::SAVEPOINT_OBJECT);
        let object = if whole { store.read(&name)? } else { None };
        let content = object.map(|object| read_savepoint_content(&name, &object)).transpose();
        Ok(StoredSavepoint { id, content })
    };
    whole.into_iter().map(look).collect()
}

fn read_savepoint_content(name: &str, object: &[u8]) -> Result<savepoint::SavepointContent, UnusableObject> {
    savepoint::SavepointContent::read(object).map_err(|fault| UnusableObject { object: name.to_owned(), fault })
}
