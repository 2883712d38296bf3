//! Creates an object. If the store's answer leaves open whether the object was created, reads the object to find out.

use super::store::{CheckpointStore, StoreFault};

/// Creates the object `name` with the content `bytes`. If the object exists already, or the store does not say whether
/// it created the object, reads the object. Returns whether the stored object has the content `bytes`.
pub(super) fn create_or_compare_object(
    store: &dyn CheckpointStore,
    name: &str,
    bytes: &[u8],
) -> Result<bool, StoreFault> {
    match store.create_object(name, bytes.to_vec()) {
        Ok(()) => Ok(true),
        Err(StoreFault::Exists) => Ok(store.read_object(name)?.as_deref() == Some(bytes)),
        Err(failed @ StoreFault::Failed(_)) => match store.read_object(name) {
            Ok(Some(found)) => Ok(found == bytes),
            _ => Err(failed),
        },
        Err(refused @ (StoreFault::Refused(_) | StoreFault::CreatedTwice)) => Err(refused),
    }
}
