//! Bounded reading: how far each partition is to be read.

use std::collections::{BTreeMap, VecDeque};

use windrow_engine::{Offset, Partition, Positions};

/// The partitions of one worker and the offsets they are read up to.
#[derive(Debug)]
pub(super) struct Bounds {
    ends: BTreeMap<Partition, Offset>,
    reached: VecDeque<Partition>,
}

impl Bounds {
    pub(super) fn new(ends: Positions) -> Self {
        Self { ends, reached: VecDeque::new() }
    }

    pub(super) fn partitions(&self) -> Vec<Partition> {
        self.ends.keys().copied().collect()
    }

    /// Whether the record at `offset` still belongs to the input.
    pub(super) fn includes(&self, partition: Partition, offset: Offset) -> bool {
        self.ends.get(&partition).is_some_and(|end| offset < *end)
    }

    /// The next record of `partition` has `position`, or a larger offset.
    pub(super) fn advance(&mut self, partition: Partition, position: Offset) {
        if self.ends.get(&partition).is_some_and(|end| position >= *end) {
            self.reach(partition);
        }
    }

    /// `partition` has been read to where it ends now, which is its end at the start or later.
    pub(super) fn reach(&mut self, partition: Partition) {
        if self.ends.remove(&partition).is_some() {
            self.reached.push_back(partition);
        }
    }

    /// A partition that has been read to its end, each one once.
    pub(super) fn next_reached(&mut self) -> Option<Partition> {
        self.reached.pop_front()
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.ends.is_empty() && self.reached.is_empty()
    }
}
