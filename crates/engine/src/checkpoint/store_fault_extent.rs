//! Finds out whether a fault of the checkpoint store that keeps a partition from being opened concerns this partition alone.
//!
//! Owns: the questions to the store itself. Does not own: the decision of the process, which also knows its other partitions
//! (`store_findings`).
//! Invariant: without evidence against the store, the fault concerns the partition alone.

use super::find_checkpoint::list_checkpoint_ids;
use super::object_names::{STORE_PROBE_FOLDER, STORE_PROBE_OBJECT};
use super::store::{CheckpointStore, StoreFault};
use super::store_findings::StoreFaultExtent;
use super::store_probe::delete_probe_object;
use super::store_retry::StoreRetry;
use crate::halt::{CheckpointStoreFault, DamagedState, FaultScope};
use crate::{Halt, Partition};

/// Returns which part of the store the `fault` of an opening concerns, as far as the store shows it. A store that refuses
/// the partition is probed with objects that belong to no partition. A store without a checkpoint of the partition is
/// searched for checkpoints of other partitions: without any, it is probably the wrong store. While the store does not
/// answer, asks again until a stop is requested or the opening is abandoned.
pub(super) fn find_store_fault_extent(retry: &StoreRetry<'_>, fault: &Halt) -> StoreFaultExtent {
    if fault.fault_scope() != FaultScope::PartitionOrStore {
        return StoreFaultExtent::OnePartition;
    }
    let concerns_whole_store = match fault {
        Halt::DamagedState(DamagedState::MissingCheckpoint { partition, .. }) => {
            matches!(has_checkpoint_of_other_partition(retry, *partition), Ok(false))
        }
        _ => is_refused(&probe_store(retry)),
    };
    if concerns_whole_store { StoreFaultExtent::WholeStore } else { StoreFaultExtent::OnePartition }
}

/// Makes each kind of call that an opening needs, for names outside of all partitions.
fn probe_store(retry: &StoreRetry<'_>) -> Result<(), Halt> {
    let config = retry.checkpoint_config;
    let store = &*config.checkpoint_store;
    retry.retry_while_unreachable(|| store.list_objects(STORE_PROBE_FOLDER))?;
    let create = || match store.create_object(STORE_PROBE_OBJECT, config.process_name.clone().into_bytes()) {
        Err(StoreFault::Exists) => Ok(()),
        answer => answer,
    };
    retry.retry_while_unreachable(create)?;
    let read = retry.retry_while_unreachable(|| store.read_object(STORE_PROBE_OBJECT));
    delete_probe_object(store);
    read.map(drop)
}

fn is_refused(answer: &Result<(), Halt>) -> bool {
    matches!(answer, Err(Halt::CheckpointStore(CheckpointStoreFault::Refused { .. })))
}

/// Returns whether the store holds a checkpoint of another partition of the topic than `partition`.
fn has_checkpoint_of_other_partition(retry: &StoreRetry<'_>, partition: Partition) -> Result<bool, Halt> {
    let config = retry.checkpoint_config;
    let store: &dyn CheckpointStore = &*config.checkpoint_store;
    let others = (0..config.state_identity.partition_count).filter(|&other| other != partition);
    for other in others {
        if !retry.retry_while_unreachable(|| list_checkpoint_ids(store, other))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
