//! Looking at checkpoints and savepoints without restoring them.
//!
//! Owns: what there is in a store, whether it is whole ([`StateObjects`]), which views' state a pipeline would keep
//! ([`fates`]). Does not own: which checkpoint a job goes on from, and when it halts (`open`).
//! Invariants: (1) nothing is changed; (2) what cannot be used is named with its object and the reason, and never keeps
//! the rest from being looked at.

mod objects;
mod views;

use std::collections::BTreeMap;

pub use objects::{Contents, StateObjects};
pub use views::{Fate, fates};

use super::names::{self, Named};
use super::{CheckpointId, CheckpointStore, Listed, Manifest, ManifestFault, StoreFault, savepoint};
use crate::Partition;

/// A checkpoint in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its partition.
    pub partition: Partition,
    /// Which one it is.
    pub id: CheckpointId,
    /// The version of its format, where it says one.
    pub format: Option<u32>,
    /// Its manifest, or why it cannot be read.
    pub manifest: Result<Manifest, Unusable>,
}

/// A savepoint in a job's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundSavepoint {
    /// Its name.
    pub id: String,
    /// What it says of itself, `None` where it is not whole; or why that cannot be read.
    pub content: Result<Option<savepoint::Content>, Unusable>,
}

/// An object that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object}: {fault}")]
pub struct Unusable {
    /// Its name.
    pub object: String,
    /// Why.
    pub fault: ManifestFault,
}

impl Unusable {
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
pub enum Kind {
    /// There is nothing of ours in it.
    Nothing,
    /// A job's own folder.
    Job {
        /// The complete checkpoints in it; perhaps none yet.
        checkpoints: usize,
    },
    /// A whole savepoint.
    Savepoint(savepoint::Content),
    /// Partitions of a savepoint that is still being taken, or never was whole: it has no object `savepoint`.
    IncompleteSavepoint,
}

/// What `store` is: a job's folder, a savepoint, or neither. `Err` within: a savepoint that cannot say what it holds.
///
/// # Errors
/// When the store cannot be asked.
pub fn kind(store: &dyn CheckpointStore) -> Result<Result<Kind, Unusable>, StoreFault> {
    kind_of(store, &store.list("")?)
}

fn kind_of(store: &dyn CheckpointStore, listed: &[Listed]) -> Result<Result<Kind, Unusable>, StoreFault> {
    // Looked for in the list: in a job's folder `savepoint` is a folder.
    if listed.iter().any(|object| object.name == names::SAVEPOINT)
        && let Some(object) = store.read(names::SAVEPOINT)?
    {
        return Ok(read_content(names::SAVEPOINT, &object).map(Kind::Savepoint));
    }
    let named = || listed.iter().map(|object| names::parse(&object.name));
    let checkpoints = named().filter(|named| matches!(named, Named::Checkpoint(..))).count();
    Ok(Ok(if named().any(|named| matches!(named, Named::Epoch(..))) {
        Kind::Job { checkpoints }
    } else if checkpoints > 0 || named().any(|named| matches!(named, Named::State(..))) {
        Kind::IncompleteSavepoint
    } else {
        Kind::Nothing
    }))
}

/// All checkpoints in `store`, by partition, oldest first.
///
/// # Errors
/// When the store cannot be asked.
pub fn list(store: &dyn CheckpointStore) -> Result<Vec<Found>, StoreFault> {
    list_of(store, &store.list("")?)
}

/// What `store` is, and all checkpoints in it, by partition, oldest first.
///
/// # Errors
/// When the store cannot be asked.
#[allow(clippy::type_complexity)] // an outcome within an outcome: damage is a finding
pub fn look(store: &dyn CheckpointStore) -> Result<(Result<Kind, Unusable>, Vec<Found>), StoreFault> {
    let listed = store.list("")?;
    Ok((kind_of(store, &listed)?, list_of(store, &listed)?))
}

fn list_of(store: &dyn CheckpointStore, listed: &[Listed]) -> Result<Vec<Found>, StoreFault> {
    let mut found = Vec::new();
    for object in listed {
        if let Named::Checkpoint(partition, id) = names::parse(&object.name) {
            let Some(bytes) = store.read(&object.name)? else { continue }; // deleted in the meantime
            let manifest = match Manifest::read(&bytes) {
                Ok(manifest) if manifest.id == id && manifest.partition == partition => Ok(manifest),
                Ok(_) => Err(Unusable::damaged(&object.name, "it is another checkpoint's manifest")),
                Err(fault) => Err(Unusable { object: object.name.clone(), fault }),
            };
            found.push(Found { partition, id, format: Manifest::format(&bytes), manifest });
        }
    }
    found.sort_by_key(|found| (found.partition, found.id));
    Ok(found)
}

/// Whether a checkpoint that was found before is still there.
///
/// # Errors
/// When the store cannot be asked.
pub fn is_there(store: &dyn CheckpointStore, found: &Found) -> Result<bool, StoreFault> {
    Ok(store.read(&names::checkpoint(found.partition, found.id))?.is_some())
}

/// Of every partition in `found` the checkpoint that a job would go on from, as far as manifests tell.
#[must_use]
pub fn newest(found: &[Found]) -> Vec<&Manifest> {
    let readable = found.iter().filter_map(|found| found.manifest.as_ref().ok());
    let newest: BTreeMap<Partition, &Manifest> = readable.map(|manifest| (manifest.partition, manifest)).collect();
    newest.into_values().collect()
}

/// The savepoints in the job's folder `store`, by name.
///
/// # Errors
/// When the store cannot be asked.
pub fn savepoints(store: &dyn CheckpointStore) -> Result<Vec<FoundSavepoint>, StoreFault> {
    let mut whole: BTreeMap<String, bool> = BTreeMap::new();
    for object in store.list(names::SAVEPOINTS)? {
        if let Some((id, object)) = names::in_savepoint(&object.name) {
            *whole.entry(id.to_owned()).or_default() |= object == names::SAVEPOINT;
        }
    }
    let look = |(id, whole): (String, bool)| {
        let name = format!("{}/{}", names::default_savepoint(&id), names::SAVEPOINT);
        let object = if whole { store.read(&name)? } else { None };
        let content = object.map(|object| read_content(&name, &object)).transpose();
        Ok(FoundSavepoint { id, content })
    };
    whole.into_iter().map(look).collect()
}

fn read_content(name: &str, object: &[u8]) -> Result<savepoint::Content, Unusable> {
    savepoint::Content::read(object).map_err(|fault| Unusable { object: name.to_owned(), fault })
}
