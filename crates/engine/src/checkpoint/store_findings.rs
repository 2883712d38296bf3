//! What the workers of a process have found out about the checkpoint store: which partitions it lets them open, of which it
//! holds no checkpoint, and whether it refuses to create an object twice.
//!
//! A store that refuses a partition, or holds no checkpoint of it, may have a fault that concerns this partition alone, or
//! every partition: wrong credentials, a wrong bucket, a disk that is not mounted. The fault itself does not show which.
//! Owns: the decision which of the two it is. Does not own: the evidence of an opening (`store_fault_extent`), and what
//! follows (the worker).
//! Invariants: (1) While one partition of the process is open, no fault concerns the whole store. (2) A worker changes only
//! what it has noted itself. So a worker that has lost a partition does not hide that another worker has opened it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::Partition;

/// The time after the last partition was open during which a fault still counts as one of a single partition. It is longer
/// than a rebalance of the group, between whose steps a healthy partition belongs to no worker.
const MOVING_TIME: Duration = Duration::from_secs(60);
/// The time for which all openings use the finding that the store holds no checkpoint of a partition. Then the store is
/// asked again, because it may have been mounted. It is not longer than [`MOVING_TIME`]. So the findings from
/// before a partition was open expire while it still counts as open.
const MISSING_CHECKPOINTS_AGE: Duration = Duration::from_secs(60);

/// What is known of a partition that the group has assigned to a worker of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PartitionStanding {
    /// The partition is not open, and no fault of the store is known.
    NotOpen,
    Open,
    /// The last attempt to open the partition has failed by a fault of the store.
    StoreFault,
}

/// A partition that the group has assigned to one of the process's workers. For a moment, it may be noted by two of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct WorkerPartition {
    worker_number: u64,
    partition: Partition,
}

/// The part of the store that a fault concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreFaultExtent {
    /// The fault does not keep other partitions from being opened.
    OnePartition,
    /// No partition can be opened.
    WholeStore,
}

#[derive(Debug, Default)]
struct PartitionStandings {
    standing_by_partition: BTreeMap<WorkerPartition, PartitionStanding>,
    /// The monotonic time at which a partition was last open that is not open any more.
    last_open_at: Option<Duration>,
}

impl PartitionStandings {
    fn set_standing(&mut self, partition: WorkerPartition, standing: Option<PartitionStanding>, now: Duration) {
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
    last_worker_number: Arc<AtomicU64>,
    refuses_second_creation: Arc<AtomicBool>,
    /// For each partition without checkpoints, the monotonic time at which the store was last asked.
    missing_checkpoints: Arc<Mutex<BTreeMap<Partition, Duration>>>,
}

impl StoreFindings {
    /// Returns whether the store held no checkpoint of `partition` when it was last asked, not long before `now`.
    pub(crate) fn lacked_checkpoints_lately(&self, partition: Partition, now: Duration) -> bool {
        let missing = self.missing_checkpoints.lock();
        missing.get(&partition).is_some_and(|&asked_at| now.saturating_sub(asked_at) < MISSING_CHECKPOINTS_AGE)
    }

    /// Notes that the store holds no checkpoint of `partition` at the time `now`.
    pub(crate) fn note_missing_checkpoints(&self, partition: Partition, now: Duration) {
        self.missing_checkpoints.lock().insert(partition, now);
    }

    /// Returns whether the store is known to refuse the creation of an object that exists.
    pub(crate) fn refuses_second_creation(&self) -> bool {
        self.refuses_second_creation.load(Ordering::Relaxed)
    }

    /// Notes that the store has refused to create an object that exists.
    pub(crate) fn note_refused_second_creation(&self) {
        self.refuses_second_creation.store(true, Ordering::Relaxed);
    }

    /// Returns the part of the findings that one worker notes.
    pub(crate) fn register_worker(&self) -> WorkerStoreFindings {
        let worker_number = self.last_worker_number.fetch_add(1, Ordering::Relaxed) + 1;
        WorkerStoreFindings { standings: Arc::clone(&self.standings), worker_number }
    }
}

/// What one worker has found out about its partitions. Dropping it removes this from the findings of the process.
#[derive(Debug)]
pub(crate) struct WorkerStoreFindings {
    standings: Arc<Mutex<PartitionStandings>>,
    worker_number: u64,
}

impl WorkerStoreFindings {
    /// Notes that the worker has got `partition`, or has stopped reading it without releasing it.
    pub(crate) fn note_not_open(&self, partition: Partition, now: Duration) {
        self.set_standing(partition, Some(PartitionStanding::NotOpen), now);
    }

    pub(crate) fn note_opened(&self, partition: Partition, now: Duration) {
        self.set_standing(partition, Some(PartitionStanding::Open), now);
    }

    pub(crate) fn note_released(&self, partition: Partition, now: Duration) {
        self.set_standing(partition, None, now);
    }

    /// Notes that a fault of the store keeps `partition` from being opened. `evidence` is what the opening has found. Returns
    /// which part of the store the fault concerns: the whole store only if the evidence says so, and no partition of the
    /// process is open or may still be opened.
    pub(crate) fn note_store_fault(
        &self,
        partition: Partition,
        evidence: StoreFaultExtent,
        now: Duration,
    ) -> StoreFaultExtent {
        let mut standings = self.standings.lock();
        standings.set_standing(self.name_partition(partition), Some(PartitionStanding::StoreFault), now);
        let was_open_recently = standings.last_open_at.is_some_and(|at| now.saturating_sub(at) < MOVING_TIME);
        let mut of_partitions = standings.standing_by_partition.values();
        if of_partitions.all(|standing| *standing == PartitionStanding::StoreFault) && !was_open_recently {
            evidence
        } else {
            StoreFaultExtent::OnePartition
        }
    }

    fn set_standing(&self, partition: Partition, standing: Option<PartitionStanding>, now: Duration) {
        self.standings.lock().set_standing(self.name_partition(partition), standing, now);
    }

    const fn name_partition(&self, partition: Partition) -> WorkerPartition {
        WorkerPartition { worker_number: self.worker_number, partition }
    }
}

impl Drop for WorkerStoreFindings {
    fn drop(&mut self) {
        self.standings.lock().standing_by_partition.retain(|noted, _| noted.worker_number != self.worker_number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn note_refused_store(worker: &WorkerStoreFindings, partition: Partition, now: Duration) -> StoreFaultExtent {
        worker.note_store_fault(partition, StoreFaultExtent::WholeStore, now)
    }

    #[test]
    fn a_fault_concerns_the_whole_store_once_no_partition_of_any_worker_can_be_opened() {
        let findings = StoreFindings::default();
        let (worker, other_worker) = (findings.register_worker(), findings.register_worker());
        worker.note_not_open(0, at(0));
        other_worker.note_not_open(1, at(0));
        assert_eq!(note_refused_store(&worker, 0, at(1)), StoreFaultExtent::OnePartition, "1 may still be opened");
        assert_eq!(note_refused_store(&other_worker, 1, at(1)), StoreFaultExtent::WholeStore);
        other_worker.note_opened(1, at(2));
        assert_eq!(note_refused_store(&worker, 0, at(300)), StoreFaultExtent::OnePartition, "1 is open");
    }

    #[test]
    fn a_fault_of_the_only_partition_concerns_this_partition_if_the_store_works() {
        let worker = StoreFindings::default().register_worker();
        worker.note_not_open(0, at(0));
        let evidence = StoreFaultExtent::OnePartition;
        assert_eq!(worker.note_store_fault(0, evidence, at(1)), StoreFaultExtent::OnePartition);
    }

    #[test]
    fn a_partition_that_moves_away_shows_that_the_store_works() {
        let worker = StoreFindings::default().register_worker();
        worker.note_opened(1, at(0));
        assert_eq!(note_refused_store(&worker, 0, at(1)), StoreFaultExtent::OnePartition);
        worker.note_released(1, at(100));
        assert_eq!(note_refused_store(&worker, 0, at(159)), StoreFaultExtent::OnePartition);
        assert_eq!(note_refused_store(&worker, 0, at(161)), StoreFaultExtent::WholeStore);
    }

    /// The operator may have mounted the store since.
    #[test]
    fn a_store_without_checkpoints_is_asked_again_after_a_minute() {
        let findings = StoreFindings::default();
        let findings_of_opening = findings.clone();
        assert!(!findings.lacked_checkpoints_lately(1, at(0)));
        findings_of_opening.note_missing_checkpoints(1, at(10));
        assert!(findings.lacked_checkpoints_lately(1, at(69)));
        assert!(findings.lacked_checkpoints_lately(1, at(9)), "noted during a search that began before");
        assert!(!findings.lacked_checkpoints_lately(1, at(70)));
        assert!(!findings.lacked_checkpoints_lately(2, at(10)));
    }

    /// A worker that was slow releases a partition after its next owner has opened it.
    #[test]
    fn a_late_worker_does_not_hide_a_partition_that_another_has_opened() {
        let findings = StoreFindings::default();
        let (late_worker, owner) = (findings.register_worker(), findings.register_worker());
        late_worker.note_opened(1, at(0));
        owner.note_opened(1, at(1));
        late_worker.note_released(1, at(2));
        assert_eq!(note_refused_store(&owner, 0, at(300)), StoreFaultExtent::OnePartition, "1 is open");
        drop(owner);
        assert_eq!(note_refused_store(&late_worker, 0, at(300)), StoreFaultExtent::WholeStore, "its worker has ended");
    }
}
