//! Tracks how far a bounded job reads each partition.

use std::collections::{BTreeMap, VecDeque};

use windrow_engine::{Offset, Partition, PartitionOffsets};

/// The partitions of one worker, with the offset at which each partition ends.
#[derive(Debug)]
pub(super) struct BoundedPartitions {
    end_offsets: BTreeMap<Partition, Offset>,
    unreported_finished: VecDeque<Partition>,
}

impl BoundedPartitions {
    pub(super) fn new(end_offsets: PartitionOffsets) -> Self {
        Self { end_offsets, unreported_finished: VecDeque::new() }
    }

    /// Returns the partitions that are not finished.
    pub(super) fn unfinished_partitions(&self) -> Vec<Partition> {
        self.end_offsets.keys().copied().collect()
    }

    /// Returns whether the record at `offset` belongs to the input of the job.
    pub(super) fn is_within_bounds(&self, partition: Partition, offset: Offset) -> bool {
        self.end_offsets.get(&partition).is_some_and(|end| offset < *end)
    }

    /// Records that the next record of `partition` has offset `position` or a larger one.
    pub(super) fn note_next_offset(&mut self, partition: Partition, position: Offset) {
        if self.end_offsets.get(&partition).is_some_and(|end| position >= *end) {
            self.mark_partition_finished(partition);
        }
    }

    /// Records that `partition` was read to its current end. That end is not before the end at the start of the job.
    pub(super) fn mark_partition_finished(&mut self, partition: Partition) {
        if self.end_offsets.remove(&partition).is_some() {
            self.unreported_finished.push_back(partition);
        }
    }

    /// Removes a finished partition from the queue and returns it.
    pub(super) fn pop_finished_partition(&mut self) -> Option<Partition> {
        self.unreported_finished.pop_front()
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.end_offsets.is_empty() && self.unreported_finished.is_empty()
    }
}
