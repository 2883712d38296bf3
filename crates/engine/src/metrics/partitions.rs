//! Where a worker's partitions stand.

use std::sync::{Mutex, PoisonError};

use windrow_core::EventTime;

use crate::{Epoch, Offset, Partition};

/// A partition, as its worker published it last: some tenths of a second ago.
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
    /// When it was opened here, and when a record came last: wall clock, in epoch milliseconds.
    pub opened_at_ms: i64,
    /// See [`Self::opened_at_ms`].
    pub last_record_at_ms: Option<i64>,
    /// When that record was produced or appended, where its source knows.
    pub last_record_timestamp_ms: Option<i64>,
    /// Records since it was opened here.
    pub records: u64,
    /// Entities with state.
    pub entities: u64,
    /// Of its last complete checkpoint: bytes of all layers, offset, and when it was cut by the wall clock.
    pub state_bytes: u64,
    /// See [`Self::state_bytes`].
    pub checkpoint_offset: Option<Offset>,
    /// See [`Self::state_bytes`].
    pub checkpoint_at_ms: Option<i64>,
}

/// The partitions of a worker.
#[derive(Debug, Default)]
pub struct PartitionStatuses(Mutex<Vec<PartitionStatus>>);

impl PartitionStatuses {
    pub(crate) fn publish(&self, statuses: impl Iterator<Item = PartitionStatus>) {
        let mut published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.clear();
        published.extend(statuses);
    }

    /// What was published last.
    #[must_use]
    pub fn get(&self) -> Vec<PartitionStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
