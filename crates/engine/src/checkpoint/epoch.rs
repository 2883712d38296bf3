//! Epochs decide which worker owns a partition.
//!
//! A worker claims an epoch by creating its object, which at most one process can do. The owner of the partition is the
//! worker with the largest epoch.
//! Invariants: (1) A claim is larger than every epoch that existed before. (2) An older owner looks for larger epochs
//! before it completes a checkpoint, so it notices a newer owner. (3) A store that creates the same object twice is
//! refused, because (1) and (2) do not hold there.

use std::sync::atomic::{AtomicU64, Ordering};

use super::config::CheckpointConfig;
use super::create_object::create_or_confirm;
use super::object_names::{self, ParsedObjectName};
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::halt::share_error;
use crate::identifiers::{Epoch, Partition};

/// Claims `partition` under a new epoch, which is larger than all existing epochs and at least `at_least`. Returns the
/// epoch.
pub(super) fn claim_epoch(
    config: &CheckpointConfig,
    partition: Partition,
    at_least: Epoch,
) -> Result<Epoch, StoreFault> {
    let store = &*config.store;
    let mut at_least = at_least.max(1);
    loop {
        let epoch = read_newest_epoch(store, partition)?.map_or(at_least, |newest| at_least.max(newest + 1));
        // The claim number distinguishes the claims of two workers in the same process.
        static NEXT_CLAIM_NUMBER: AtomicU64 = AtomicU64::new(1);
        let claim = NEXT_CLAIM_NUMBER.fetch_add(1, Ordering::Relaxed);
        let process = &config.process_name;
        let body = format!("{process}, claim {claim}: partition {partition}, epoch {epoch}\n").into_bytes();
        if create_or_confirm(store, &object_names::epoch_object_name(partition, epoch), &body)? {
            // Old epochs are deleted, so a free name may be smaller than the largest epoch.
            match read_newest_epoch(store, partition)? {
                Some(newest) if newest > epoch => at_least = newest + 1,
                _ => return verify_exclusive_create(store, partition, epoch).map(|()| epoch),
            }
        } else {
            at_least = epoch + 1;
        }
    }
}

/// Refuses a store that creates an object twice. In such a store, two processes could own a partition without noticing.
fn verify_exclusive_create(store: &dyn CheckpointStore, partition: Partition, epoch: Epoch) -> Result<(), StoreFault> {
    match store
        .create(&object_names::epoch_object_name(partition, epoch), b"a second claim of the same epoch\n".to_vec())
    {
        Ok(()) => Err(StoreFault::Refused(share_error(
            "it lets two processes create the same object. Checkpoints need a store with conditional writes \
             (`If-None-Match: *`)",
        ))),
        // Other errors prove nothing about the store. The next claim repeats this check.
        Err(_) => Ok(()),
    }
}

/// Returns the largest epoch of `partition`; `None` if the partition was never claimed.
pub(super) fn read_newest_epoch(
    store: &dyn CheckpointStore,
    partition: Partition,
) -> Result<Option<Epoch>, StoreFault> {
    Ok(find_newest_epoch(&store.list(&object_names::epochs_folder(partition))?))
}

/// Returns the largest epoch among the listed `objects` of one partition.
pub(super) fn find_newest_epoch(objects: &[ListedObject]) -> Option<Epoch> {
    let epochs = objects.iter().filter_map(|object| match object_names::parse_object_name(&object.name) {
        ParsedObjectName::Epoch(_, epoch) => Some(epoch),
        _ => None,
    });
    epochs.max()
}
