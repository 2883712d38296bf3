//! Epochs: who owns a partition.
//!
//! An epoch is claimed by creating its object, which at most one can do. The largest is the owner's.
//! Invariants: (1) a claim is larger than every epoch there was when it was made; (2) of two owners the older one finds
//! out before it calls a checkpoint complete, since it looks for larger epochs first; (3) both hold only where an object
//! can be created once, so a store that shows otherwise is refused.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{CheckpointConfig, CheckpointStore, StoreFault, names};
use crate::{Epoch, Partition};

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
        // Two workers of one process must not take each other's claim for their own.
        static CLAIMS: AtomicU64 = AtomicU64::new(1);
        let claim = CLAIMS.fetch_add(1, Ordering::Relaxed);
        let body =
            format!("{}, claim {claim}: partition {partition}, epoch {epoch}\n", config.process_name).into_bytes();
        if create_or_confirm(store, &names::epoch_object(partition, epoch), &body)? {
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

/// Refuses a store that lets an object be created twice: there two processes could own a partition without knowing.
fn verify_exclusive_create(store: &dyn CheckpointStore, partition: Partition, epoch: Epoch) -> Result<(), StoreFault> {
    match store.create(&names::epoch_object(partition, epoch), b"a second claim of the same epoch\n".to_vec()) {
        Ok(()) => Err(StoreFault::Refused(
            "it lets two processes create the same object. Checkpoints need a store with conditional writes \
             (`If-None-Match: *`)"
                .to_owned(),
        )),
        // An error says nothing; the next claim asks again.
        Err(_) => Ok(()),
    }
}

/// The largest epoch of `partition`; `None` where nobody has claimed it.
pub(super) fn newest_epoch(store: &dyn CheckpointStore, partition: Partition) -> Result<Option<Epoch>, StoreFault> {
    let listed = store.list(&names::epochs_folder(partition))?;
    let epochs = listed.iter().filter_map(|object| match names::parse_object_name(&object.name) {
        names::ParsedObjectName::Epoch(_, epoch) => Some(epoch),
        _ => None,
    });
    Ok(epochs.max())
}

/// Creates `name`; whether it is there with these bytes, and thus ours: an outcome that is unknown is read back.
pub(super) fn create_or_confirm(store: &dyn CheckpointStore, name: &str, bytes: &[u8]) -> Result<bool, StoreFault> {
    match store.create(name, bytes.to_vec()) {
        Ok(()) => Ok(true),
        Err(StoreFault::Exists) => Ok(store.read(name)?.as_deref() == Some(bytes)),
        Err(StoreFault::Failed(reason)) => match store.read(name) {
            Ok(Some(found)) => Ok(found == bytes),
            _ => Err(StoreFault::Failed(reason)),
        },
        Err(refused @ StoreFault::Refused(_)) => Err(refused),
    }
}
