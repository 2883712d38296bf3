//! The partitions that a worker has parked because of a fault.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::{Halt, Partition};

/// A partition that a worker has parked. Wall-clock times are in epoch milliseconds.
#[derive(Clone, Debug)]
pub struct ParkedPartition {
    /// The wall-clock time at which the worker parked the partition first. Failed attempts to open the partition do not
    /// change it.
    pub parked_at_ms: i64,
    /// The wall-clock time at which the last attempt failed.
    pub attempted_at_ms: i64,
    /// The time from the last attempt until the next one.
    pub retry_delay: Duration,
    /// The fault that the last attempt found.
    pub fault: Halt,
}

/// The partitions that one worker has parked. A partition stays here while the worker tries to open it again.
#[derive(Debug, Default)]
pub struct ParkedPartitions(Mutex<BTreeMap<Partition, ParkedPartition>>);

impl ParkedPartitions {
    /// Notes the failed attempt `latest`. Returns what was known of the partition before.
    pub(crate) fn note_failed_attempt(&self, partition: Partition, latest: ParkedPartition) -> Option<ParkedPartition> {
        let mut parked = self.0.lock();
        let known = parked.get(&partition).cloned();
        let parked_at_ms = known.as_ref().map_or(latest.parked_at_ms, |known| known.parked_at_ms);
        parked.insert(partition, ParkedPartition { parked_at_ms, ..latest });
        known
    }

    /// Removes a partition that the worker has opened. Returns whether it was parked.
    pub(crate) fn remove_opened(&self, partition: Partition) -> bool {
        self.0.lock().remove(&partition).is_some()
    }

    /// Keeps only the partitions for which `is_parked` returns true.
    pub(crate) fn retain_partitions(&self, is_parked: impl Fn(Partition) -> bool) {
        self.0.lock().retain(|&partition, _| is_parked(partition));
    }

    /// Returns the parked partitions.
    #[must_use]
    pub fn list_parked(&self) -> BTreeMap<Partition, ParkedPartition> {
        self.0.lock().clone()
    }
}
