//! Where reading stands in each partition, and which partition an unreadable batch may hold up.
//!
//! librdkafka reports such a batch without its partition. A partition that stays at its offset through several reports is
//! a suspect.

use std::collections::BTreeMap;

use windrow_engine::{Offset, Partition, PartitionOffsets};

/// Reports without progress before a partition is a suspect. librdkafka makes about two a second.
const REPORTS_MIN: u32 = 3;

/// Where reading stands in each partition.
#[derive(Debug, Default)]
pub(super) struct ReadProgress {
    partitions: BTreeMap<Partition, PartitionProgress>,
}

#[derive(Debug)]
struct PartitionProgress {
    next_offset: Offset,
    /// Reports of an unreadable batch, in any partition, since `next_offset` changed.
    reports: u32,
}

/// A partition that an unreadable batch may hold up.
pub(super) struct StuckPartition {
    pub(super) partition: Partition,
    /// The offset of the next record.
    pub(super) offset: Offset,
}

impl ReadProgress {
    /// Notes that reading of `partition` continues at `offset`.
    pub(super) fn set_position(&mut self, partition: Partition, offset: Offset) {
        self.partitions.insert(partition, PartitionProgress { next_offset: offset, reports: 0 });
    }

    /// Notes that `partition` is no longer read.
    pub(super) fn remove(&mut self, partition: Partition) {
        self.partitions.remove(&partition);
    }

    /// Returns the next offset of every partition of which it is known.
    pub(super) fn positions(&self) -> PartitionOffsets {
        self.partitions.iter().map(|(&partition, progress)| (partition, progress.next_offset)).collect()
    }

    /// Counts a report of an unreadable batch, and returns the suspects.
    pub(super) fn count_report(&mut self) -> Vec<StuckPartition> {
        let mut suspects = Vec::new();
        for (&partition, progress) in &mut self.partitions {
            progress.reports += 1;
            if progress.reports >= REPORTS_MIN {
                suspects.push(StuckPartition { partition, offset: progress.next_offset });
            }
        }
        suspects
    }
}
