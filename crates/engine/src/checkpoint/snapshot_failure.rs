//! The reasons why a snapshot does not become a checkpoint.

use super::state_object::PackFault;
use super::store::StoreFault;
use crate::halt::SharedError;

/// The reason why a snapshot was not completed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SnapshotFailure {
    /// A piece of the snapshot cannot be packed into a state object.
    #[error("cannot pack the state object {object}")]
    NotPacked { object: String, source: PackFault },
    /// The store did not create a state object.
    #[error("cannot write the state object {object}")]
    NotWritten { object: String, source: StoreFault },
    /// The manifest cannot be encoded.
    #[error("cannot encode the manifest: {detail}")]
    ManifestNotEncoded { detail: String },
    /// An object with the name of the manifest already exists, and its content differs from the manifest.
    #[error("another process has already written {object} with other content")]
    WrittenElsewhere { object: String },
    /// The log did not tell whether it still holds the records before the checkpoint.
    #[error("the log does not tell whether it still holds the records before the checkpoint")]
    LogHistoryUnknown { source: SharedError },
    /// An operation of the store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
}
