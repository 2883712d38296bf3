//! The interface of the checkpoint store, which holds objects by name.
//!
//! Owns: what each implementation of a store must guarantee. Does not own: the implementations (the connectors), the
//! names (`object_names`) and the content of objects.
//! Invariants: (1) An object appears completely or not at all. (2) Once [`CheckpointStore::create_object`] returned,
//! the object survives a crash of the machine. (3) Of all calls that create the same name, at most one succeeds. (4) A
//! list contains every object whose creation returned before the list was requested.

use std::fmt::Debug;
use std::sync::Arc;

use crate::fault_class::FaultClass;
use crate::halt::SharedError;

/// An object in the list that a checkpoint store returns.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ListedObject {
    /// The name of the object: segments of `A–Z a–z 0–9 . _ - %`, separated by `/`.
    pub object_name: String,
    /// The size of the object in bytes.
    pub object_byte_count: u64,
}

/// The reason why an operation of a store failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreFault {
    /// An object of the same name exists.
    #[error("an object of that name already exists")]
    Exists,
    /// The operation failed despite the store's own retries, and may succeed later. It is unknown whether a failed
    /// write took effect.
    #[error(transparent)]
    Failed(SharedError),
    /// The store refused the operation, and an operator must act. Examples: the bucket does not exist, the user has no
    /// permission, the place is not a directory.
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
    /// Returns the class of the fault. A retry cannot resolve [`Self::Exists`], so its class is
    /// [`FaultClass::NeedsOperator`].
    #[must_use]
    pub const fn fault_class(&self) -> FaultClass {
        match self {
            Self::Failed(_) => FaultClass::Transient,
            Self::Exists | Self::Refused(_) => FaultClass::NeedsOperator,
        }
    }
}

/// A store of objects. Any thread may call its methods, which block and return in bounded time.
pub trait CheckpointStore: Send + Sync + Debug {
    /// Creates the object `name` with the content `bytes`, unless an object of that name exists.
    ///
    /// # Errors
    /// [`StoreFault::Exists`] if an object of that name exists. A retry within this call can also cause the fault, if an
    /// earlier attempt created the object. The caller reads the object to find out.
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault>;

    /// Returns the content of the object `name`; `None` if the object does not exist.
    ///
    /// # Errors
    /// When the store does not answer, or refuses the operation.
    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault>;

    /// Lists all objects in `folder` and its subfolders, sorted by name. The folder `""` contains all objects.
    ///
    /// # Errors
    /// When the store does not answer, or refuses the operation.
    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault>;

    /// Deletes the objects `names`. A missing object counts as deleted.
    ///
    /// # Errors
    /// When at least one object could not be deleted. Other objects of `names` may already be deleted.
    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault>;

    /// Returns the path or the URL of the store, without secrets, for use in messages.
    fn place(&self) -> &str;
}

/// Opens a checkpoint store at a configured place: a path, `file:…`, `s3://…`, `gs://…` or `az://…`.
pub trait CheckpointStoreOpener: Send + Sync + Debug {
    /// Opens the store at `place` without sending a request to it.
    ///
    /// # Errors
    /// When `place` has no accepted form, or a setting that the store needs is missing.
    fn open_store(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault>;
}
