//! Tracks the next offset of each partition, and detects partitions that an unreadable batch may block.
//!
//! librdkafka returns an error about an unreadable batch repeatedly, without naming the partition. A partition counts
//! as stuck if its next offset does not change during several of these errors.

use std::collections::BTreeMap;

use windrow_engine::{LogPosition, Offset, Partition};

/// The number of errors about unreadable batches, without progress, after which a partition counts as stuck. librdkafka
/// returns about two such errors a second.
const STUCK_AFTER_ERRORS: u32 = 3;

/// For each partition, the next offset to read, and the number of errors about unreadable batches since that offset
/// last changed.
#[derive(Debug, Default)]
pub(super) struct ReadProgress {
    progress_by_partition: BTreeMap<Partition, PartitionProgress>,
}

#[derive(Debug)]
struct PartitionProgress {
    next_position: LogPosition,
    /// The number of errors about unreadable batches, of any partition, since `next_position` changed.
    errors_without_progress: u32,
}

/// A partition that an unreadable batch probably blocks.
pub(super) struct StuckPartition {
    pub(super) partition: Partition,
    /// The offset at which the unreadable batch may begin.
    pub(super) next_offset: Offset,
}

impl ReadProgress {
    /// Notes that reading of `partition` continues at `position`, and resets the partition's count of errors.
    pub(super) fn note_progress(&mut self, partition: Partition, position: LogPosition) {
        self.progress_by_partition
            .insert(partition, PartitionProgress { next_position: position, errors_without_progress: 0 });
    }

    pub(super) fn remove_partition(&mut self, partition: Partition) {
        self.progress_by_partition.remove(&partition);
    }

    /// Returns the next position of each partition whose next position is known.
    pub(super) fn next_positions(&self) -> BTreeMap<Partition, LogPosition> {
        self.progress_by_partition.iter().map(|(&partition, progress)| (partition, progress.next_position)).collect()
    }

    /// Counts one error about an unreadable batch. The error counts for every partition, because librdkafka does not
    /// name the partition. Returns the partitions that are stuck.
    pub(super) fn count_error_and_list_stuck_partitions(&mut self) -> Vec<StuckPartition> {
        let mut suspects = Vec::new();
        for (&partition, progress) in &mut self.progress_by_partition {
            progress.errors_without_progress += 1;
            if progress.errors_without_progress >= STUCK_AFTER_ERRORS {
                suspects.push(StuckPartition { partition, next_offset: progress.next_position.offset });
            }
        }
        suspects
    }
}
