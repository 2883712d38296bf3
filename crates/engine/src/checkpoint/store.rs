//! The checkpoint store holds objects by name.
//!
//! Owns: the contract between checkpoints and the store. Does not own: the implementations (the connectors), the names
//! (`object_names`) and the content of objects.
//! Invariants: (1) An object appears completely or not at all. (2) Once [`CheckpointStore::create_object`] returned, the
//! object survives a crash of the machine. (3) Of two calls that create the same name, at most one succeeds. (4) A list
//! contains every object whose creation returned before.

use std::fmt::Debug;
use std::sync::Arc;

use crate::fault_class::FaultClass;
use crate::halt::SharedError;

/// An entry in a list of objects.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ListedObject {
    /// The name of the object: segments of `A–Z a–z 0–9 . _ - %`, separated by `/`.
    pub name: String,
    /// The size of the object in bytes.
    pub byte_count: u64,
}

/// The reason why an operation of a store failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreFault {
    /// An object of the same name exists.
    #[error("an object of that name already exists")]
    Exists,
    /// The operation failed despite the store's own retries, and may succeed later. A write may or may not have taken
    /// effect.
    #[error(transparent)]
    Failed(SharedError),
    /// The store refuses the operation: no such bucket, no permission, not a directory. An operator must act.
    #[error(transparent)]
    Refused(SharedError),
}

/// Two faults are equal if their variants and messages are equal.
impl PartialEq for StoreFault {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exists, Self::Exists) => true,
            (Self::Failed(left), Self::Failed(right)) | (Self::Refused(left), Self::Refused(right)) => {
                left.to_string() == right.to_string()
            }
            _ => false,
        }
    }
}

impl Eq for StoreFault {}

impl StoreFault {
    /// Returns the class of the fault. [`Self::Exists`] counts as [`FaultClass::NeedsOperator`], because a retry does
    /// not help.
    #[must_use]
    pub const fn fault_class(&self) -> FaultClass {
        match self {
            Self::Failed(_) => FaultClass::Transient,
            Self::Exists | Self::Refused(_) => FaultClass::NeedsOperator,
        }
    }
}

/// A store of objects. Any thread may call it. Calls block, and end in bounded time.
pub trait CheckpointStore: Send + Sync + Debug {
    /// Creates the object `name` with the content `bytes`, unless an object of that name exists.
    ///
    /// # Errors
    /// [`StoreFault::Exists`] if an object of that name exists. An earlier attempt of the same call may have created
    /// the object; reading the object back tells.
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault>;

    /// Returns the content of the object `name`; `None` if the object does not exist.
    ///
    /// # Errors
    /// When the store does not answer or refuses.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault>;

    /// Lists all objects whose name begins with the segments of `folder`, sorted by name. `""` lists all objects.
    ///
    /// # Errors
    /// When the store does not answer or refuses.
    fn list(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault>;

    /// Deletes the objects `names`. A missing object counts as deleted.
    ///
    /// # Errors
    /// When an object could not be deleted. The other objects may be deleted.
    fn delete(&self, names: &[String]) -> Result<(), StoreFault>;

    /// Returns the place of the store for messages: a path or a URL, without secrets.
    fn place(&self) -> &str;
}

/// Opens stores by their configured places (`file:…`, a path, `s3://…`, `gs://…`, `az://…`).
pub trait CheckpointStoreOpener: Send + Sync + Debug {
    /// Opens the store at `place` without sending a request to it.
    ///
    /// # Errors
    /// When `place` names no store, or a setting is missing.
    fn open(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault>;
}
