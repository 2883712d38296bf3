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
                _ => match verify_exclusive_create(store, partition, epoch)? {
                    ClaimStanding::Newest => return Ok(epoch),
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
/// exists. With such a store, two workers could own the same partition at the same time.
fn verify_exclusive_create(
    store: &dyn CheckpointStore,
    partition: Partition,
    epoch: Epoch,
) -> Result<ClaimStanding, StoreFault> {
    match store.create_object(
        &object_names::epoch_object_name(partition, epoch),
        b"a second claim of the same epoch\n".to_vec(),
    ) {
        Ok(()) => match read_largest_epoch(store, partition)? {
            // The owner of a larger epoch has deleted the object. This process was slow or suspended meanwhile.
            Some(newest) if newest > epoch => Ok(ClaimStanding::Overtaken { newest }),
            _ => Err(StoreFault::CreatedTwice),
        },
        // The store did not create the object a second time, as required. If the store was only unreachable, this
        // proves nothing, but the next claim of any partition repeats the check.
        Err(_) => Ok(ClaimStanding::Newest),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;
    use crate::checkpoint::{PartitionFaultPolicy, SnapshotLimits, StateIdentity};
    use crate::{NoRowFence, UnknownLogHistory};

    /// A store in which another worker claims epoch 5 and deletes the smaller epochs, as soon as epoch 1 is created. So
    /// it seems to a worker that was suspended in the middle of its claim.
    #[derive(Debug, Default)]
    struct OvertakenStore {
        objects: Mutex<BTreeMap<String, Vec<u8>>>,
        list_count: Mutex<u32>,
    }

    impl CheckpointStore for OvertakenStore {
        fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
            let mut objects = self.objects.lock();
            if objects.contains_key(name) {
                return Err(StoreFault::Exists);
            }
            objects.insert(name.to_owned(), bytes);
            Ok(())
        }

        fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
            Ok(self.objects.lock().get(name).cloned())
        }

        fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
            let mut objects = self.objects.lock();
            let listed = objects.keys().filter(|name| name.starts_with(folder)).cloned();
            let listed = listed.map(|object_name| ListedObject { object_name, object_byte_count: 0 }).collect();
            *self.list_count.lock() += 1;
            if *self.list_count.lock() == 2 {
                *objects = BTreeMap::from([(object_names::epoch_object_name(0, 5), b"another worker".to_vec())]);
            }
            Ok(listed)
        }

        fn delete_objects(&self, _: &[String]) -> Result<(), StoreFault> {
            Ok(())
        }

        fn place(&self) -> &str {
            "memory"
        }
    }

    fn config_with_store(store: Arc<dyn CheckpointStore>) -> CheckpointConfig {
        CheckpointConfig {
            state_identity: StateIdentity {
                pipeline_name: "p".to_owned(),
                topic: "events".to_owned(),
                topic_id: None,
                partition_count: 1,
            },
            checkpoint_store: store,
            current_savepoint_request: Default::default(),
            row_fence: Arc::new(NoRowFence),
            topic_identity_check: Arc::new(|| Ok(None)),
            log_history: Arc::new(UnknownLogHistory),
            checkpoint_interval: Duration::ZERO,
            kept_checkpoints_per_partition: 3,
            restore_source: None,
            droppable_view_names: Default::default(),
            accepts_added_partitions: false,
            partition_fault_policy: PartitionFaultPolicy::Halt,
            snapshot_limits: SnapshotLimits::default(),
            process_name: "test".to_owned(),
        }
    }

    /// The object of the claim is gone, because the owner of a larger epoch has deleted it. That is no proof that the
    /// store lets two workers create the same object.
    #[test]
    fn a_claim_that_was_overtaken_meanwhile_is_repeated() {
        let config = config_with_store(Arc::new(OvertakenStore::default()));
        assert_eq!(claim_epoch(&config, 0, 0), Ok(6));
    }
}
