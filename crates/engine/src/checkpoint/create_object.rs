//! Creates an object and resolves an unknown outcome of the creation.

use super::store::{CheckpointStore, StoreFault};

/// Creates the object `name`. Returns whether the stored object has exactly these bytes. After an unknown outcome, the
/// object is read back.
pub(super) fn create_or_confirm(store: &dyn CheckpointStore, name: &str, bytes: &[u8]) -> Result<bool, StoreFault> {
    match store.create(name, bytes.to_vec()) {
        Ok(()) => Ok(true),
        Err(StoreFault::Exists) => Ok(store.read(name)?.as_deref() == Some(bytes)),
        Err(failed @ StoreFault::Failed(_)) => match store.read(name) {
            Ok(Some(found)) => Ok(found == bytes),
            _ => Err(failed),
        },
        Err(refused @ StoreFault::Refused(_)) => Err(refused),
    }
}
