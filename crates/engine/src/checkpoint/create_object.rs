//! Creates an object, also when the store does not say whether the creation succeeded.

use super::store::{CheckpointStore, StoreFault};

/// Creates the object `name` with the content `bytes`, or compares an existing object with `bytes`. Returns whether the
/// stored object has this content. A failed creation may have taken effect, so the object is read in that case too.
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
        Err(refused @ StoreFault::Refused(_)) => Err(refused),
    }
}
