//! Claims epochs in the checkpoint store. The worker that claimed a partition's largest epoch owns the partition.
//!
//! A worker claims an epoch of a partition by creating an object whose name contains the epoch. At most one worker can
//! create an object of this name.
//! Invariants: (1) A claimed epoch is larger than every epoch of the partition that was claimed earlier. (2) A worker
//! looks for larger epochs before it completes a checkpoint, so a former owner notices the new owner. (3) A claim fails
//! if the store lets two calls create the same object, because two workers could then claim the same epoch.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use super::config::CheckpointConfig;
use super::create_object::create_or_compare_object;
use super::object_names::{self, ParsedObjectName};
use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::identifiers::{Epoch, Partition};

/// A claim of a partition in the checkpoint store.
#[derive(Debug)]
pub(super) struct EpochClaim {
    pub(super) epoch: Epoch,
    /// The objects of the partition, as the store listed them after the claim.
    pub(super) objects_after_claim: Vec<ListedObject>,
}

/// Claims `partition` under a new epoch. The new epoch is larger than all existing epochs of the partition, and not smaller
/// than `at_least`.
pub(super) fn claim_epoch(
    config: &CheckpointConfig,
    partition: Partition,
    at_least: Epoch,
) -> Result<EpochClaim, StoreFault> {
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
            // deleted the object of the smaller epoch. So the epochs are listed again. The list also contains the
            // checkpoints, which the worker reads next.
            let objects_after_claim = store.list_objects(&object_names::partition_folder(partition))?;
            match find_largest_listed_epoch(&objects_after_claim) {
                Some(newest) if newest > epoch => at_least = newest + 1,
                _ => match verify_exclusive_create(config, partition, epoch)? {
                    ClaimStanding::Newest => return Ok(EpochClaim { epoch, objects_after_claim }),
                    ClaimStanding::Overtaken { newest } => at_least = newest + 1,
                },
            }
        } else {
            at_least = epoch + 1;
        }
    }
}

/// Whether a claimed epoch is still the largest.
enum ClaimStanding {
    Newest,
    /// Another worker has claimed the partition under the larger epoch `newest`.
    Overtaken {
        newest: Epoch,
    },
}

/// Tries to create the object of `epoch` a second time, and returns a fault if the store allows it although the object
/// exists. With such a store, two workers could own the same partition at the same time. Does nothing if the store has
/// refused it before.
fn verify_exclusive_create(
    config: &CheckpointConfig,
    partition: Partition,
    epoch: Epoch,
) -> Result<ClaimStanding, StoreFault> {
    let store = &*config.checkpoint_store;
    if config.store_findings.refuses_second_creation() {
        return Ok(ClaimStanding::Newest);
    }
    match store.create_object(
        &object_names::epoch_object_name(partition, epoch),
        b"a second claim of the same epoch\n".to_vec(),
    ) {
        Ok(()) => match read_largest_epoch(store, partition)? {
            // The owner of a larger epoch has deleted the object. This process was slow or suspended meanwhile.
            Some(newest) if newest > epoch => Ok(ClaimStanding::Overtaken { newest }),
            _ => Err(StoreFault::CreatedTwice),
        },
        Err(fault) => {
            // If the store was only unreachable, this proves nothing, and the next claim of any partition repeats the check.
            if fault == StoreFault::Exists {
                config.store_findings.note_refused_second_creation();
            }
            Ok(ClaimStanding::Newest)
        }
    }
}

/// Deletes the claim of `epoch`, which the fence with `fence_epoch` has refused because the store holds no checkpoint of
/// `partition`. If these claims stayed, a later claim would exceed the epoch of the fence, and the partition would begin
/// with empty state although its rows are in the row store. If the store cannot delete the claim, notes the epoch of the
/// fence for later attempts.
pub(super) fn withdraw_claim(store: &dyn CheckpointStore, partition: Partition, epoch: Epoch, fence_epoch: Epoch) {
    let Err(fault) = store.delete_objects(&[object_names::epoch_object_name(partition, epoch)]) else { return };
    warn!(partition, epoch, %fault, "the claim of an epoch that the fence has refused cannot be deleted");
    let note = object_names::refusing_fence_object_name(partition);
    if let Err(fault) = store.create_object(&note, fence_epoch.to_string().into_bytes())
        && fault != StoreFault::Exists
    {
        warn!(partition, fence_epoch, %fault, "the epoch of the fence cannot be noted");
    }
}

/// Returns the epoch of the fence that has refused a claim for want of checkpoints, as [`withdraw_claim`] has noted it.
pub(super) fn read_refusing_fence_epoch(
    store: &dyn CheckpointStore,
    partition: Partition,
) -> Result<Option<Epoch>, StoreFault> {
    let note = store.read_object(&object_names::refusing_fence_object_name(partition))?;
    Ok(note.and_then(|epoch| str::from_utf8(&epoch).ok()?.parse().ok()))
}

/// Forgets the fence that has refused claims: it no longer exists.
pub(super) fn forget_refusing_fence(store: &dyn CheckpointStore, partition: Partition) {
    if let Err(fault) = store.delete_objects(&[object_names::refusing_fence_object_name(partition)]) {
        warn!(partition, %fault, "the note about a fence that has refused claims cannot be deleted");
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
