//! The status of a worker's partitions.

use std::sync::{Mutex, PoisonError};

use windrow_core::EventTime;

use crate::{Epoch, Offset, Partition};

/// A partition, as its worker published it last: some tenths of a second ago. Times of the wall clock are in epoch
/// milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStatus {
    /// Its number.
    pub partition: Partition,
    /// The epoch it is owned under.
    pub epoch: Epoch,
    /// The offset of the next record, once that is known.
    pub offset: Option<Offset>,
    /// How far its event time is complete.
    pub watermark: Option<EventTime>,
    /// The largest event time so far.
    pub max_event_time: Option<EventTime>,
    /// When it was opened here, by the wall clock.
    pub opened_at_ms: i64,
    /// When a record came last, by the wall clock.
    pub last_record_at_ms: Option<i64>,
    /// When that record was produced or appended, where its source knows.
    pub last_record_timestamp_ms: Option<i64>,
    /// Records since it was opened here.
    pub records: u64,
    /// Entities with state.
    pub entities: u64,
    /// Bytes of all layers of its last complete checkpoint.
    pub state_bytes: u64,
    /// The offset that its last complete checkpoint leads up to.
    pub checkpoint_offset: Option<Offset>,
    /// When its last complete checkpoint was cut, by the wall clock.
    pub checkpoint_at_ms: Option<i64>,
}

/// The status of all partitions of a worker.
#[derive(Debug, Default)]
pub struct PartitionStatuses(Mutex<Vec<PartitionStatus>>);

impl PartitionStatuses {
    pub(crate) fn publish(&self, statuses: impl Iterator<Item = PartitionStatus>) {
        let mut published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.clear();
        published.extend(statuses);
    }

    /// Returns what was published last.
    #[must_use]
    pub fn get(&self) -> Vec<PartitionStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
