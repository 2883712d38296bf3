//! The status of a worker's partitions.

use parking_lot::Mutex;
use windrow_core::EventTime;

use crate::checkpoint::IncompleteFeature;
use crate::{Epoch, Offset, Partition};

/// The status of a partition when its worker last published metrics, usually less than a second ago. Wall-clock times
/// are in epoch milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStatus {
    /// The number of the partition.
    pub partition: Partition,
    /// The epoch under which the worker owns the partition.
    pub epoch: Epoch,
    /// The offset of the next record to process; `None` if unknown.
    pub next_offset: Option<Offset>,
    /// The watermark of the partition.
    pub watermark: Option<EventTime>,
    /// The largest event time among the processed events of the partition.
    pub max_event_time: Option<EventTime>,
    /// Whether the watermark follows the wall clock, because no record has come for a while.
    pub follows_clock: bool,
    /// The wall-clock time at which this worker opened the partition.
    pub opened_at_ms: i64,
    /// The approximate wall-clock time at which the worker processed the last record. The value is the time of the
    /// first publication of metrics after that record.
    pub last_record_processed_at_ms: Option<i64>,
    /// The Kafka timestamp of the last processed record (`CreateTime` or `LogAppendTime`), in epoch milliseconds.
    /// `None` if the source has no timestamps.
    pub last_record_timestamp_ms: Option<i64>,
    /// The number of records that this worker has processed after it opened the partition.
    pub processed_record_count: u64,
    /// The number of entities that have state in the partition's shard.
    pub entity_count: u64,
    /// The size in bytes of all layers of the last complete checkpoint.
    pub last_checkpoint_total_bytes: u64,
    /// The offset of the first record that the last complete checkpoint does not include.
    pub last_checkpoint_offset: Option<Offset>,
    /// The wall-clock time of the cut of the last complete checkpoint.
    pub last_checkpoint_at_ms: Option<i64>,
    /// The features with windows that may lack events, because the features were added or the windows became longer.
    pub incomplete_features: Vec<IncompleteFeature>,
}

/// The status of every partition that a worker owns.
#[derive(Debug, Default)]
pub struct PartitionStatuses(Mutex<Vec<PartitionStatus>>);

impl PartitionStatuses {
    pub(crate) fn publish(&self, statuses: impl Iterator<Item = PartitionStatus>) {
        let mut published = self.0.lock();
        published.clear();
        published.extend(statuses);
    }

    /// Returns the statuses that the worker has published last.
    #[must_use]
    pub fn list_published(&self) -> Vec<PartitionStatus> {
        self.0.lock().clone()
    }
}
