//! The changes that the consumer group makes to a worker's partitions: the pending changes, and the release in progress.

use std::time::Duration;

use crate::Partition;

/// A pending change of the worker's partitions.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum PendingPartitionChange {
    /// The consumer group assigned these partitions to the worker.
    Assign(Vec<Partition>),
    /// The consumer group revokes these partitions. The group's rebalance waits until the worker has taken their last
    /// checkpoints and released them.
    Release(Vec<Partition>),
}

impl PendingPartitionChange {
    /// Removes `lost` from the partitions of the change.
    pub(super) fn forget_partitions(&mut self, lost: &[Partition]) {
        let (Self::Assign(partitions) | Self::Release(partitions)) = self;
        partitions.retain(|partition| !lost.contains(partition));
    }
}

/// Partitions that are released together. The worker takes their last checkpoints.
#[derive(Debug)]
pub(super) struct ActiveRelease {
    pub(super) partitions: Vec<Partition>,
    /// The monotonic time until which the worker waits for the last checkpoints.
    pub(super) deadline: Duration,
}
