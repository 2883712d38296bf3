//! The interface of the checkpoint store, which holds objects by name.
//!
//! Owns: the guarantees that each implementation of a store must give. Does not own: the implementations (the
//! connectors), the names of objects (`object_names`), the content of objects.
//! Invariants: (1) A reader sees either the complete object or no object. (2) After [`CheckpointStore::create_object`]
//! has succeeded, the object survives a crash of the machine. (3) If several calls create an object of the same name,
//! at most one call succeeds. (4) A list contains every object whose creation had succeeded before the list was
//! requested.

use std::fmt::Debug;
use std::sync::Arc;

use crate::fault_class::FaultClass;
use crate::halt::SharedError;

/// The name and the size of an object, as [`CheckpointStore::list_objects`] returns them.
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
    /// The operation failed, although the store's client retried it. A later attempt may succeed. A failed write may
    /// still have taken effect.
    #[error(transparent)]
    Failed(SharedError),
    /// The store refused the operation, and an operator must act. Examples: the bucket does not exist, the user has no
    /// permission, the place is not a directory.
    #[error(transparent)]
    Refused(SharedError),
    /// The store created an object that exists. Such a store cannot decide which process owns a partition.
    #[error(
        "the store lets two processes create the same object. Checkpoints need a store with conditional writes \
         (`If-None-Match: *`)"
    )]
    CreatedTwice,
}

/// Two faults are equal if their variants and messages are equal.
impl PartialEq for StoreFault {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exists, Self::Exists) | (Self::CreatedTwice, Self::CreatedTwice) => true,
            (Self::Failed(left), Self::Failed(right)) | (Self::Refused(left), Self::Refused(right)) => {
                left.to_string() == right.to_string()
            }
            _ => false,
        }
    }
}

impl Eq for StoreFault {}

impl StoreFault {
    /// Returns the class of the fault, which decides whether the operation is retried. The class of [`Self::Exists`] is
    /// [`FaultClass::NeedsOperator`], because no retry resolves this fault.
    #[must_use]
    pub const fn fault_class(&self) -> FaultClass {
        match self {
            Self::Failed(_) => FaultClass::Transient,
            Self::Exists | Self::Refused(_) | Self::CreatedTwice => FaultClass::NeedsOperator,
        }
    }
}

/// A store that holds objects by name. Any thread may call the methods. Each method blocks the calling thread until the
/// store answers or a timeout expires.
pub trait CheckpointStore: Send + Sync + Debug {
    /// Creates the object `name` with the content `bytes`, unless an object of this name exists.
    ///
    /// # Errors
    /// [`StoreFault::Exists`] if an object of this name exists. This call may have created the object itself, in an
    /// earlier attempt whose answer was lost. To find out, the caller reads the object.
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault>;

    /// Returns the content of the object `name`; `None` if the object does not exist.
    ///
    /// # Errors
    /// When the store does not answer, or refuses the operation.
    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault>;

    /// Returns the contents of the objects `names`, in the order of the names; `None` for an object that does not exist. A
    /// store with a long latency reads the objects side by side. The caller limits their number and their size.
    ///
    /// # Errors
    /// When the store does not answer a call, or refuses it.
    fn read_objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreFault> {
        names.iter().map(|name| self.read_object(name)).collect()
    }

    /// Returns the names and sizes of all objects in `folder` and its subfolders, sorted by name. The folder `""` is
    /// the whole store.
    ///
    /// # Errors
    /// When the store does not answer, or refuses the operation.
    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault>;

    /// Deletes the objects `names`. A missing object counts as deleted.
    ///
    /// # Errors
    /// When at least one object could not be deleted. The store may have deleted the others.
    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault>;

    /// Returns the path or the URL of the store, without secrets, for use in messages.
    fn place(&self) -> &str;
}

/// Opens checkpoint stores. A store is given as a path, `file:…`, `s3://…`, `gs://…` or `az://…`.
pub trait CheckpointStoreOpener: Send + Sync + Debug {
    /// Opens the store at `place` without sending a request to the store.
    ///
    /// # Errors
    /// When `place` has none of the accepted forms, or a setting that the store needs is missing.
    fn open_store(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault>;
}
