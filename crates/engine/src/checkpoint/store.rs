//! The checkpoint store: objects by name.
//!
//! Owns: the contract between checkpoints and the store. Does not own: any particular store (the connectors), the names
//! (`object_names`) or the content of objects.
//! Invariants: (1) an object appears whole or not at all; once [`CheckpointStore::create`] returned, it survives a crash of
//! the machine; (2) of two calls that create the same name at most one succeeds; (3) a list shows every object whose
//! creation had returned before.

use std::fmt::Debug;
use std::sync::Arc;

use crate::fault_class::FaultClass;

/// An object in a list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ListedObject {
    /// Its name: segments of `A–Z a–z 0–9 . _ - %`, with `/` between them.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Why an operation of a store failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreFault {
    /// An object of that name exists.
    #[error("it exists already")]
    Exists,
    /// The operation failed after the store's own retries, and may succeed later. Whether a write took effect is unknown.
    #[error("{0}")]
    Failed(String),
    /// The store refuses (no such bucket, no permission, not a directory); only an operator can change that.
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

/// A store of objects. Calls block, may be made from any thread, and end in bounded time.
pub trait CheckpointStore: Send + Sync + Debug {
    /// Creates the object `name`.
    ///
    /// # Errors
    /// [`StoreFault::Exists`] where one of that name exists. An earlier attempt of this very call may have created it with
    /// an unknown outcome: reading it back tells.
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault>;

    /// Returns the whole object `name`; `None` where there is none.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault>;

    /// Lists all objects whose name begins with the segments `folder` (for `""` all objects), sorted by name.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    fn list(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault>;

    /// Deletes these objects; missing ones count as deleted.
    ///
    /// # Errors
    /// When one of them could not be deleted; the others may be deleted.
    fn delete(&self, names: &[String]) -> Result<(), StoreFault>;

    /// Returns where it is, as messages name it: a path or a URL, without secrets.
    fn place(&self) -> &str;
}

/// Opens stores by their places as configured (`file:…`, a path, `s3://…`, `gs://…`, `az://…`).
pub trait CheckpointStoreOpener: Send + Sync + Debug {
    /// Opens the store at `place`, without a request to it.
    ///
    /// # Errors
    /// Why `place` names no store, or which setting is missing.
    fn open(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault>;
}
