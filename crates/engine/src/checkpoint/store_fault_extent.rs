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

/// The number of places at which openings begin their searches. A worker opens as many partitions at once.
const CONCURRENT_SEARCHES: Partition = 8;

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

/// Returns whether the store holds a checkpoint of another partition of the topic than `partition`. Lists the checkpoints
/// of one partition after another until it finds one. Skips partitions of which an opening of the process has found no
/// checkpoint lately.
fn has_checkpoint_of_other_partition(retry: &StoreRetry<'_>, partition: Partition) -> Result<bool, Halt> {
    let config = retry.checkpoint_config;
    let store: &dyn CheckpointStore = &*config.checkpoint_store;
    let started = retry.clock.monotonic_now();
    for other in order_searched_partitions(partition, config.state_identity.partition_count) {
        if config.store_findings.lacked_checkpoints_lately(other, started) {
            continue;
        }
        if !retry.retry_while_unreachable(|| list_checkpoint_ids(store, other))?.is_empty() {
            return Ok(true);
        }
        config.store_findings.note_missing_checkpoints(other, retry.clock.monotonic_now());
    }
    Ok(false)
}

/// Returns the other partitions of the topic in the order in which an opening of `partition` searches them. Openings of
/// neighbouring partitions run at the same time. So each begins at another place, and they share the search.
fn order_searched_partitions(partition: Partition, partition_count: Partition) -> impl Iterator<Item = Partition> {
    let search_number = partition.rem_euclid(CONCURRENT_SEARCHES);
    let first = partition_count * search_number / CONCURRENT_SEARCHES;
    (first..partition_count).chain(0..first).filter(move |&other| other != partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_opening_searches_all_other_partitions() {
        for partition_count in [1, 2, 7, 8, 9, 32, 1_000] {
            for partition in 0..partition_count {
                let mut searched: Vec<Partition> = order_searched_partitions(partition, partition_count).collect();
                searched.sort_unstable();
                assert!(searched.into_iter().eq((0..partition_count).filter(|&other| other != partition)));
            }
        }
    }

    #[test]
    fn concurrent_openings_begin_at_different_partitions() {
        let first = (0..8).map(|partition| order_searched_partitions(partition, 32).next());
        assert!(first.eq([1, 4, 8, 12, 16, 20, 24, 28].map(Some)));
    }
}
