//! Tracks which partitions of a bounded job have been read to the end offsets that the job fixed at its start.

use std::collections::{BTreeMap, VecDeque};

use windrow_engine::{Offset, Partition, PartitionOffsets};

/// The partitions that one worker has not finished, each with the offset at which the input of the job ends.
#[derive(Debug)]
pub(super) struct BoundedPartitions {
    all_end_offsets: PartitionOffsets,
    /// The end offsets of the partitions that the worker has not finished.
    end_offsets: BTreeMap<Partition, Offset>,
    unreported_finished: VecDeque<Partition>,
}

impl BoundedPartitions {
    pub(super) fn new(end_offsets: PartitionOffsets) -> Self {
        Self { all_end_offsets: end_offsets.clone(), end_offsets, unreported_finished: VecDeque::new() }
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

    /// Treats `partitions` as not finished, because the worker goes back to an earlier offset.
    pub(super) fn take_back_partitions(&mut self, partitions: &[Partition]) {
        self.unreported_finished.retain(|finished| !partitions.contains(finished));
        let ends = partitions.iter().filter_map(|partition| self.all_end_offsets.get_key_value(partition));
        self.end_offsets.extend(ends.map(|(&partition, &end)| (partition, end)));
    }

    /// Returns a finished partition that no earlier call returned, if any.
    pub(super) fn pop_finished_partition(&mut self) -> Option<Partition> {
        self.unreported_finished.pop_front()
    }

    pub(super) fn all_finished_and_reported(&self) -> bool {
        self.end_offsets.is_empty() && self.unreported_finished.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Redis may lose rows after the worker has finished a partition. The worker then reads the partition again.
    #[test]
    fn a_partition_that_is_read_again_must_finish_again() {
        let mut partitions = BoundedPartitions::new(PartitionOffsets::from([(0, 10), (1, 20)]));
        partitions.note_next_offset(0, 10);
        partitions.note_next_offset(1, 20);
        assert_eq!(partitions.pop_finished_partition(), Some(0));
        partitions.take_back_partitions(&[0, 1]);
        assert!(partitions.is_within_bounds(0, 9) && partitions.is_within_bounds(1, 19));
        assert_eq!((partitions.pop_finished_partition(), partitions.all_finished_and_reported()), (None, false));
        partitions.note_next_offset(1, 20);
        partitions.note_next_offset(0, 10);
        assert_eq!([partitions.pop_finished_partition(), partitions.pop_finished_partition()], [Some(1), Some(0)]);
        assert!(partitions.all_finished_and_reported());
    }
}
