//! The status of a worker's partitions.

use std::sync::{Mutex, PoisonError};

use windrow_core::EventTime;

use crate::{Epoch, Offset, Partition};

/// The status of a partition as its worker last published it, some tenths of a second ago. Times of the wall clock are
/// in epoch milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStatus {
    /// The number of the partition.
    pub partition: Partition,
    /// The epoch in which the worker owns the partition.
    pub epoch: Epoch,
    /// The offset of the next record; `None` if unknown.
    pub next_offset: Option<Offset>,
    /// The watermark of the partition.
    pub watermark: Option<EventTime>,
    /// The largest event time seen in the partition.
    pub max_event_time: Option<EventTime>,
    /// The wall-clock time at which this worker opened the partition.
    pub opened_at_ms: i64,
    /// The wall-clock time at which the last record arrived.
    pub last_record_at_ms: Option<i64>,
    /// The timestamp of the last record (produced or appended); `None` if the source has no timestamps.
    pub last_record_timestamp_ms: Option<i64>,
    /// The number of records processed since this worker opened the partition.
    pub record_count: u64,
    /// The number of entities with state.
    pub entity_count: u64,
    /// The size of all layers of the last complete checkpoint in bytes.
    pub last_checkpoint_bytes: u64,
    /// The offset of the last complete checkpoint.
    pub last_checkpoint_offset: Option<Offset>,
    /// The wall-clock time of the last complete checkpoint's cut.
    pub last_checkpoint_at_ms: Option<i64>,
}

/// The status of every partition that a worker owns.
#[derive(Debug, Default)]
pub struct PartitionStatuses(Mutex<Vec<PartitionStatus>>);

impl PartitionStatuses {
    pub(crate) fn publish(&self, statuses: impl Iterator<Item = PartitionStatus>) {
        let mut published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.clear();
        published.extend(statuses);
    }

    /// Returns the statuses that were published last.
    #[must_use]
    pub fn get(&self) -> Vec<PartitionStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
