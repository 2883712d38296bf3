//! Tracks which partitions of a bounded job have been read to the end offsets that the job fixed at its start.

use std::collections::{BTreeMap, VecDeque};

use windrow_engine::{Offset, Partition, PartitionOffsets};

/// The partitions that one worker has not finished, each with the offset at which the input of the job ends.
#[derive(Debug)]
pub(super) struct BoundedPartitions {
    end_offsets: BTreeMap<Partition, Offset>,
    unreported_finished: VecDeque<Partition>,
}

impl BoundedPartitions {
    pub(super) fn new(end_offsets: PartitionOffsets) -> Self {
        Self { end_offsets, unreported_finished: VecDeque::new() }
    }

    pub(super) fn unfinished_partitions(&self) -> Vec<Partition> {
        self.end_offsets.keys().copied().collect()
    }

    /// Returns whether the record of `partition` at `offset` belongs to the input of the job.
    pub(super) fn is_within_bounds(&self, partition: Partition, offset: Offset) -> bool {
        self.end_offsets.get(&partition).is_some_and(|end| offset < *end)
    }

    /// Notes that the next record of `partition` has at least the offset `position`. Marks the partition as finished if
    /// `position` has reached the job's end offset.
    pub(super) fn note_next_offset(&mut self, partition: Partition, position: Offset) {
        if self.end_offsets.get(&partition).is_some_and(|end| position >= *end) {
            self.mark_partition_finished(partition);
        }
    }

    /// Marks `partition` as finished, because the worker has read it to the job's end offset or to its current end. A
    /// partition's current end is never before the end offset that the job fixed at its start.
    pub(super) fn mark_partition_finished(&mut self, partition: Partition) {
        if self.end_offsets.remove(&partition).is_some() {
            self.unreported_finished.push_back(partition);
        }
    }

    /// Returns a finished partition that no earlier call returned, if any.
    pub(super) fn pop_finished_partition(&mut self) -> Option<Partition> {
        self.unreported_finished.pop_front()
    }

    pub(super) fn all_finished_and_reported(&self) -> bool {
        self.end_offsets.is_empty() && self.unreported_finished.is_empty()
    }
}
