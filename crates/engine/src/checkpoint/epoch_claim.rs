//! Claims epochs in the checkpoint store. The worker that claimed a partition's largest epoch owns the partition.
//!
//! A worker claims an epoch of a partition by creating an object whose name contains the epoch. At most one worker can
//! create an object of this name.
//! Invariants: (1) A claimed epoch is larger than every epoch of the partition that was claimed earlier. (2) A worker
//! looks for larger epochs before it completes a checkpoint, so a former owner notices the new owner. (3) A claim fails
//! if the store lets two calls create the same object, because two workers could then claim the same epoch.

use std::sync::atomic::{AtomicU64, Ordering};

use super::config::CheckpointConfig;
use super::create_object::create_or_compare_object;
use super::object_names::{self, ParsedObjectName};
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::halt::share_error;
use crate::identifiers::{Epoch, Partition};

/// Claims `partition` under a new epoch and returns the epoch. The new epoch is larger than all existing epochs of the
/// partition, and not smaller than `at_least`.
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
            // The object is created, but its epoch may not be the largest. Another worker may have claimed the same
            // epoch after this function listed the epochs. A third worker may then have claimed a larger epoch and
            // deleted the object of the smaller epoch. So the epochs are listed again.
            match read_largest_epoch(store, partition)? {
                Some(newest) if newest > epoch => at_least = newest + 1,
                _ => return verify_exclusive_create(store, partition, epoch).map(|()| epoch),
            }
        } else {
            at_least = epoch + 1;
        }
    }
}

/// Tries to create the object of `epoch` a second time, and returns a fault if the store allows it. With such a store,
/// two workers could own the same partition at the same time.
fn verify_exclusive_create(store: &dyn CheckpointStore, partition: Partition, epoch: Epoch) -> Result<(), StoreFault> {
    match store.create_object(
        &object_names::epoch_object_name(partition, epoch),
        b"a second claim of the same epoch\n".to_vec(),
    ) {
        Ok(()) => Err(StoreFault::Refused(share_error(
            "the store lets two processes create the same object. Checkpoints need a store with conditional writes \
             (`If-None-Match: *`)",
        ))),
        // The store did not create the object a second time, as required. If the store was only unreachable, this
        // proves nothing, but the next claim of any partition repeats the check.
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

/// Returns the largest epoch in the names of `objects`; `None` if no name contains an epoch. All objects must belong to
/// the same partition.
pub(super) fn find_largest_listed_epoch(objects: &[ListedObject]) -> Option<Epoch> {
    let epochs = objects.iter().filter_map(|object| match object_names::parse_object_name(&object.object_name) {
        ParsedObjectName::Epoch(_, epoch) => Some(epoch),
        _ => None,
    });
    epochs.max()
}
