//! Where checkpoints are kept: objects by name.
//!
//! Owns: the contract between checkpoints and the place they lie in. Does not own: any particular place (the connectors),
//! the names (see [`super::names`]) or what is in the objects.
//! Invariants: (1) an object appears whole or not at all; once [`CheckpointStore::create_or_confirm`] returned, it survives a crash
//! of the machine; (2) of two that create the same name at most one succeeds; (3) a list shows every object whose
//! creation had returned before.

use std::fmt::Debug;
use std::sync::Arc;

use crate::fault_class::FaultClass;

/// An object, as a list shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ListedObject {
    /// Its name: segments of `A–Z a–z 0–9 . _ - %`, with `/` between them.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Why a store did not do as asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreFault {
    /// There is an object of that name already.
    #[error("it exists already")]
    Exists,
    /// It failed, after the store's own retries; it may work later. Whether a write took effect is unknown.
    #[error("{0}")]
    Failed(String),
    /// The store refuses (no such bucket, no permission, not a directory); only a person can mend that.
    #[error("{0}")]
    Refused(String),
}

impl StoreFault {
    /// Returns what can end the fault. An existing object is an answer and ends nothing by itself.
    #[must_use]
    pub const fn class(&self) -> FaultClass {
        match self {
            Self::Failed(_) => FaultClass::Transient,
            Self::Exists | Self::Refused(_) => FaultClass::NeedsOperator,
        }
    }
}

/// A place for objects. Calls block, may be made from any thread, and end in bounded time.
pub trait CheckpointStore: Send + Sync + Debug {
    /// Creates the object `name`.
    ///
    /// # Errors
    /// [`StoreFault::Exists`] where one of that name is there, perhaps by an earlier attempt of this very call whose
    /// outcome stayed unknown: read it back to find out.
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault>;

    /// The whole object `name`; `None` where there is none.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault>;

    /// All objects whose name begins with the segments `folder` (all there are for `""`), sorted by name.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn list(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault>;

    /// Deletes these objects; those that are not there count as deleted.
    ///
    /// # Errors
    /// When one of them could not be deleted; the others may be gone.
    fn delete(&self, names: &[String]) -> Result<(), StoreFault>;

    /// Where it is, for people: a path or a URL, without secrets.
    fn place(&self) -> &str;
}

/// Opens places by what a person wrote (`file:…`, a path, `s3://…`, `gs://…`, `az://…`).
pub trait CheckpointStoreOpener: Send + Sync + Debug {
    /// The store at `place`. Nothing is created or asked for yet.
    ///
    /// # Errors
    /// Why `place` names no store, or which setting is missing.
    fn open(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault>;
}
