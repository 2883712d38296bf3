//! Bounded reading: how far each partition is to be read.

use std::collections::{BTreeMap, VecDeque};

use windrow_engine::{Offset, Partition, PartitionOffsets};

/// The partitions of one worker and the offsets they are read up to.
#[derive(Debug)]
pub(super) struct BoundedPartitions {
    ends: BTreeMap<Partition, Offset>,
    finished: VecDeque<Partition>,
}

impl BoundedPartitions {
    pub(super) fn new(ends: PartitionOffsets) -> Self {
        Self { ends, finished: VecDeque::new() }
    }

    pub(super) fn partitions(&self) -> Vec<Partition> {
        self.ends.keys().copied().collect()
    }

    /// Whether the record at `offset` still belongs to the input.
    pub(super) fn is_within_bounds(&self, partition: Partition, offset: Offset) -> bool {
        self.ends.get(&partition).is_some_and(|end| offset < *end)
    }

    /// The next record of `partition` has `position`, or a larger offset.
    pub(super) fn set_position(&mut self, partition: Partition, position: Offset) {
        if self.ends.get(&partition).is_some_and(|end| position >= *end) {
            self.finish_partition(partition);
        }
    }

    /// `partition` has been read to where it ends now, which is its end at the start or later.
    pub(super) fn finish_partition(&mut self, partition: Partition) {
        if self.ends.remove(&partition).is_some() {
            self.finished.push_back(partition);
        }
    }

    /// A partition that has been read to its end, each one once.
    pub(super) fn next_finished(&mut self) -> Option<Partition> {
        self.finished.pop_front()
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.ends.is_empty() && self.finished.is_empty()
    }
}
