//! Claims epochs in the checkpoint store. The worker that claimed a partition's largest epoch owns the partition.
//!
//! A worker claims an epoch of a partition by creating an object whose name contains the epoch. At most one worker can
//! create an object of this name.
//! Invariants: (1) A claimed epoch is larger than every earlier epoch of the partition. (2) A worker looks for larger
//! epochs before it completes a checkpoint, so a former owner notices the new owner. (3) A store that creates the same
//! object twice is rejected, because two workers could then claim the same epoch.

use std::sync::atomic::{AtomicU64, Ordering};

use super::config::CheckpointConfig;
use super::create_object::create_or_compare_object;
use super::object_names::{self, ParsedObjectName};
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::halt::share_error;
use crate::identifiers::{Epoch, Partition};

/// Claims `partition` under a new epoch and returns the epoch. The epoch is larger than all existing epochs of the
/// partition, and at least `at_least`.
pub(super) fn claim_epoch(
    config: &CheckpointConfig,
    partition: Partition,
    at_least: Epoch,
) -> Result<Epoch, StoreFault> {
    let store = &*config.checkpoint_store;
    let mut at_least = at_least.max(1);
    loop {
        let epoch = read_largest_epoch(store, partition)?.map_or(at_least, |newest| at_least.max(newest + 1));
        // Two workers of one process can try to claim the same epoch. The claim number makes the contents of their
        // objects differ, so only one of the workers finds its own content in the store.
        static NEXT_CLAIM_NUMBER: AtomicU64 = AtomicU64::new(1);
        let claim = NEXT_CLAIM_NUMBER.fetch_add(1, Ordering::Relaxed);
        let process = &config.process_name;
        let body = format!("{process}, claim {claim}: partition {partition}, epoch {epoch}\n").into_bytes();
        if create_or_compare_object(store, &object_names::epoch_object_name(partition, epoch), &body)? {
            // Since the epochs were listed, other workers may have claimed this epoch and a larger epoch, and deleted
            // the object of this epoch.
            match read_largest_epoch(store, partition)? {
                Some(newest) if newest > epoch => at_least = newest + 1,
                _ => return verify_exclusive_create(store, partition, epoch).map(|()| epoch),
            }
        } else {
            at_least = epoch + 1;
        }
    }
}

/// Returns a fault if the store creates the same object twice. With such a store, two workers could own the same
/// partition at the same time.
fn verify_exclusive_create(store: &dyn CheckpointStore, partition: Partition, epoch: Epoch) -> Result<(), StoreFault> {
    match store.create_object(
        &object_names::epoch_object_name(partition, epoch),
        b"a second claim of the same epoch\n".to_vec(),
    ) {
        Ok(()) => Err(StoreFault::Refused(share_error(
            "the store lets two processes create the same object. Checkpoints need a store with conditional writes \
             (`If-None-Match: *`)",
        ))),
        // Every fault counts as a refusal to create the object twice. If the store was only unreachable, the check is
        // repeated at the next claim.
        Err(_) => Ok(()),
    }
}

/// Returns the largest epoch of `partition` in the store; `None` if no worker has claimed the partition.
pub(super) fn read_largest_epoch(
    store: &dyn CheckpointStore,
    partition: Partition,
) -> Result<Option<Epoch>, StoreFault> {
    Ok(find_largest_listed_epoch(&store.list_objects(&object_names::epochs_folder(partition))?))
}

/// Returns the largest epoch in the names of `objects`, which belong to one partition; `None` if no name contains an
/// epoch.
pub(super) fn find_largest_listed_epoch(objects: &[ListedObject]) -> Option<Epoch> {
    let epochs = objects.iter().filter_map(|object| match object_names::parse_object_name(&object.object_name) {
        ParsedObjectName::Epoch(_, epoch) => Some(epoch),
        _ => None,
    });
    epochs.max()
}
