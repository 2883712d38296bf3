//! Tracks the next offset of each partition, and detects partitions that an unreadable batch may block.
//!
//! librdkafka reports an unreadable batch without its partition. A partition is stuck if its next offset does not
//! change during several reports.

use std::collections::BTreeMap;

use windrow_engine::{Offset, Partition, PartitionOffsets};

/// The number of reports without progress after which a partition is stuck. librdkafka makes about two reports a
/// second.
const STUCK_AFTER_REPORTS: u32 = 3;

/// The next offset of each partition, and the reports of unreadable batches since that offset changed.
#[derive(Debug, Default)]
pub(super) struct ReadProgress {
    progress_by_partition: BTreeMap<Partition, PartitionProgress>,
}

#[derive(Debug)]
struct PartitionProgress {
    next_offset: Offset,
    /// The number of reports of an unreadable batch, in any partition, since `next_offset` changed.
    reports_without_progress: u32,
}

/// A partition that an unreadable batch may block.
pub(super) struct StuckPartition {
    pub(super) partition: Partition,
    /// The offset of the next record.
    pub(super) next_offset: Offset,
}

impl ReadProgress {
    /// Records that reading of `partition` continues at `offset`.
    pub(super) fn note_next_offset(&mut self, partition: Partition, offset: Offset) {
        self.progress_by_partition
            .insert(partition, PartitionProgress { next_offset: offset, reports_without_progress: 0 });
    }

    /// Forgets `partition`, which is no longer read.
    pub(super) fn remove_partition(&mut self, partition: Partition) {
        self.progress_by_partition.remove(&partition);
    }

    /// Returns the next offset of every partition for which it is known.
    pub(super) fn next_offsets(&self) -> PartitionOffsets {
        self.progress_by_partition.iter().map(|(&partition, progress)| (partition, progress.next_offset)).collect()
    }

    /// Counts a report of an unreadable batch, and returns the stuck partitions.
    pub(super) fn count_report_and_list_stuck(&mut self) -> Vec<StuckPartition> {
        let mut suspects = Vec::new();
        for (&partition, progress) in &mut self.progress_by_partition {
            progress.reports_without_progress += 1;
            if progress.reports_without_progress >= STUCK_AFTER_REPORTS {
                suspects.push(StuckPartition { partition, next_offset: progress.next_offset });
            }
        }
        suspects
    }
}
