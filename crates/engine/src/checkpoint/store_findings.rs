//! What the workers of a process have found out about the checkpoint store: which partitions it lets them open, and whether
//! it refuses to create an object twice.
//!
//! A store that refuses a partition, or holds no checkpoint of it, may have a fault that concerns this partition alone, or
//! every partition: wrong credentials, a wrong bucket, a disk that is not mounted. The fault itself does not show which.
//! Owns: the decision which of the two it is. Does not own: what follows (the worker).
//! Invariant: while one partition of the process is open, no fault concerns the whole store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::Partition;

/// The time after the last partition was open during which a fault still counts as one of a single partition. It is longer
/// than a rebalance of the group, between whose steps a healthy partition belongs to no worker.
const MOVING_TIME: Duration = Duration::from_secs(60);

/// What is known of a partition that the group has assigned to a worker of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PartitionStanding {
    /// The partition is not open, and no fault of the store is known.
    NotOpen,
    Open,
    /// The last attempt to open the partition has failed by a fault of the store.
    StoreFault,
}

/// The part of the store that a fault concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreFaultExtent {
    /// Another partition of the process is open, or may still be opened.
    OnePartition,
    /// No partition of the process can be opened.
    WholeStore,
}

#[derive(Debug, Default)]
struct PartitionStandings {
    standing_by_partition: BTreeMap<Partition, PartitionStanding>,
    /// The monotonic time at which a partition was last open that is not open any more.
    last_open_at: Option<Duration>,
}

impl PartitionStandings {
    fn set_standing(&mut self, partition: Partition, standing: Option<PartitionStanding>, now: Duration) {
        let before = match standing {
            Some(standing) => self.standing_by_partition.insert(partition, standing),
            None => self.standing_by_partition.remove(&partition),
        };
        if before == Some(PartitionStanding::Open) {
            self.last_open_at = Some(now);
        }
    }
}

/// What the workers of a process have found out about the checkpoint store. Clones share the data.
#[derive(Clone, Debug, Default)]
pub struct StoreFindings {
    standings: Arc<Mutex<PartitionStandings>>,
    refuses_second_creation: Arc<AtomicBool>,
}

impl StoreFindings {
    /// Returns whether the store is known to refuse the creation of an object that exists.
    pub(crate) fn refuses_second_creation(&self) -> bool {
        self.refuses_second_creation.load(Ordering::Relaxed)
    }

    /// Notes that the store has refused to create an object that exists.
    pub(crate) fn note_refused_second_creation(&self) {
        self.refuses_second_creation.store(true, Ordering::Relaxed);
    }

    /// Notes that a worker has got `partition`, or has stopped reading it without releasing it.
    pub(crate) fn note_not_open(&self, partition: Partition, now: Duration) {
        self.standings.lock().set_standing(partition, Some(PartitionStanding::NotOpen), now);
    }

    pub(crate) fn note_opened(&self, partition: Partition, now: Duration) {
        self.standings.lock().set_standing(partition, Some(PartitionStanding::Open), now);
    }

    pub(crate) fn note_released(&self, partition: Partition, now: Duration) {
        self.standings.lock().set_standing(partition, None, now);
    }

    /// Notes that a fault of the store keeps `partition` from being opened. Returns which part of the store it concerns.
    pub(crate) fn note_store_fault(&self, partition: Partition, now: Duration) -> StoreFaultExtent {
        let mut standings = self.standings.lock();
        standings.set_standing(partition, Some(PartitionStanding::StoreFault), now);
        let was_open_recently = standings.last_open_at.is_some_and(|at| now.saturating_sub(at) < MOVING_TIME);
        let mut of_partitions = standings.standing_by_partition.values();
        if of_partitions.all(|standing| *standing == PartitionStanding::StoreFault) && !was_open_recently {
            StoreFaultExtent::WholeStore
        } else {
            StoreFaultExtent::OnePartition
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_fault_concerns_the_whole_store_once_no_partition_of_any_worker_can_be_opened() {
        let partitions = StoreFindings::default();
        let of_other_worker = partitions.clone();
        partitions.note_not_open(0, at(0));
        of_other_worker.note_not_open(1, at(0));
        assert_eq!(partitions.note_store_fault(0, at(1)), StoreFaultExtent::OnePartition, "1 may still be opened");
        assert_eq!(of_other_worker.note_store_fault(1, at(1)), StoreFaultExtent::WholeStore);
        of_other_worker.note_opened(1, at(2));
        assert_eq!(partitions.note_store_fault(0, at(300)), StoreFaultExtent::OnePartition, "1 is open");
    }

    #[test]
    fn a_partition_that_moves_away_shows_that_the_store_works() {
        let partitions = StoreFindings::default();
        partitions.note_opened(1, at(0));
        assert_eq!(partitions.note_store_fault(0, at(1)), StoreFaultExtent::OnePartition);
        partitions.note_released(1, at(100));
        assert_eq!(partitions.note_store_fault(0, at(159)), StoreFaultExtent::OnePartition);
        assert_eq!(partitions.note_store_fault(0, at(161)), StoreFaultExtent::WholeStore);
    }
}
