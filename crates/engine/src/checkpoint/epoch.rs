//! Epochs: who owns a partition.
//!
//! An epoch is claimed by creating its object, which at most one process can do. The largest epoch is the owner's.
//! Invariants: (1) a claim is larger than every epoch that existed when it was made; (2) of two owners, the older one
//! notices before it completes a checkpoint, since it looks for larger epochs first; (3) both hold only where an object can
//! be created once, so a store that creates one twice is refused.

use std::sync::atomic::{AtomicU64, Ordering};

use super::config::CheckpointConfig;
use super::create_object::create_or_confirm;
use super::object_names::{self, ParsedObjectName};
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::identifiers::{Epoch, Partition};

/// Claims `partition` under an epoch of at least `at_least`.
pub(super) fn claim_epoch(
    config: &CheckpointConfig,
    partition: Partition,
    at_least: Epoch,
) -> Result<Epoch, StoreFault> {
    let store = &*config.store;
    let mut at_least = at_least.max(1);
    loop {
        let epoch = newest_epoch(store, partition)?.map_or(at_least, |newest| at_least.max(newest + 1));
        // Two workers of one process must not mistake each other's claim for their own.
        static CLAIMS: AtomicU64 = AtomicU64::new(1);
        let claim = CLAIMS.fetch_add(1, Ordering::Relaxed);
        let process = &config.process_name;
        let body = format!("{process}, claim {claim}: partition {partition}, epoch {epoch}\n").into_bytes();
        if create_or_confirm(store, &object_names::epoch_object(partition, epoch), &body)? {
            // Old epochs are deleted, so a name that was free is not yet the largest.
            match newest_epoch(store, partition)? {
                Some(newest) if newest > epoch => at_least = newest + 1,
                _ => return verify_exclusive_create(store, partition, epoch).map(|()| epoch),
            }
        } else {
            at_least = epoch + 1;
        }
    }
}

/// Refuses a store that creates an object twice: two processes could own a partition without noticing.
fn verify_exclusive_create(store: &dyn CheckpointStore, partition: Partition, epoch: Epoch) -> Result<(), StoreFault> {
    match store.create(&object_names::epoch_object(partition, epoch), b"a second claim of the same epoch\n".to_vec()) {
        Ok(()) => Err(StoreFault::Refused(
            "it lets two processes create the same object. Checkpoints need a store with conditional writes \
             (`If-None-Match: *`)"
                .to_owned(),
        )),
        // Another error does not tell; the next claim tries again.
        Err(_) => Ok(()),
    }
}

/// Returns the largest epoch of `partition`; `None` where it was never claimed.
pub(super) fn newest_epoch(store: &dyn CheckpointStore, partition: Partition) -> Result<Option<Epoch>, StoreFault> {
    Ok(newest_listed_epoch(&store.list(&object_names::epochs_folder(partition))?))
}

/// Returns the largest epoch among `objects` of one partition.
pub(super) fn newest_listed_epoch(objects: &[ListedObject]) -> Option<Epoch> {
    let epochs = objects.iter().filter_map(|object| match object_names::parse_object_name(&object.name) {
        ParsedObjectName::Epoch(_, epoch) => Some(epoch),
        _ => None,
    });
    epochs.max()
}
