//! How far each partition is read in a bounded job.

use std::collections::{BTreeMap, VecDeque};

use windrow_engine::{Offset, Partition, PartitionOffsets};

/// The partitions of one worker, and the offset at which each ends.
#[derive(Debug)]
pub(super) struct BoundedPartitions {
    ends: BTreeMap<Partition, Offset>,
    finished: VecDeque<Partition>,
}

impl BoundedPartitions {
    pub(super) fn new(ends: PartitionOffsets) -> Self {
        Self { ends, finished: VecDeque::new() }
    }

    /// Returns the partitions that are not finished.
    pub(super) fn partitions(&self) -> Vec<Partition> {
        self.ends.keys().copied().collect()
    }

    /// Returns whether the record at `offset` belongs to the input.
    pub(super) fn is_within_bounds(&self, partition: Partition, offset: Offset) -> bool {
        self.ends.get(&partition).is_some_and(|end| offset < *end)
    }

    /// Notes that the next record of `partition` has offset `position` or a larger one.
    pub(super) fn set_position(&mut self, partition: Partition, position: Offset) {
        if self.ends.get(&partition).is_some_and(|end| position >= *end) {
            self.finish_partition(partition);
        }
    }

    /// Notes that `partition` was read to its present end, which is its end at the start of the job or a later one.
    pub(super) fn finish_partition(&mut self, partition: Partition) {
        if self.ends.remove(&partition).is_some() {
            self.finished.push_back(partition);
        }
    }

    /// Returns a partition that was read to its end; each one once.
    pub(super) fn next_finished(&mut self) -> Option<Partition> {
        self.finished.pop_front()
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.ends.is_empty() && self.finished.is_empty()
    }
}
