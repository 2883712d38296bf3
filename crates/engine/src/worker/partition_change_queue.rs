//! The changes of a worker's partitions: the pending changes, and the change in progress.

use std::time::Duration;

use super::partition_phase::OpenReason;
use crate::{Partition, PartitionOffsets};

/// A pending change of the worker's partitions.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum PendingPartitionChange {
    /// The consumer group assigned these partitions to the worker.
    Open(Vec<Partition>),
    /// The consumer group revokes these partitions. The group's rebalance waits until the worker has taken their last
    /// checkpoints and released them.
    Release(Vec<Partition>),
    /// The worker drops these partitions, because the consumer group may already have assigned the partitions to
    /// another member.
    DropLost(Vec<Partition>),
    /// This partition restarts from its last checkpoint.
    Restart(Partition),
}

/// The change of the worker's partitions that is in progress.
#[derive(Debug)]
pub(super) enum ActivePartitionChange {
    Opening(OpeningBatch),
    Releasing(ReleasingBatch),
}

/// Partitions that are opened together.
#[derive(Debug)]
pub(super) struct OpeningBatch {
    pub(super) partitions: Vec<Partition>,
    pub(super) open_reason: OpenReason,
    /// The offsets at which reading of the partitions starts that the worker has begun to claim at the fence. A
    /// partition whose start offset is unknown has no entry.
    pub(super) start_offsets: PartitionOffsets,
}

/// Partitions that are released together.
#[derive(Debug)]
pub(super) struct ReleasingBatch {
    pub(super) partitions: Vec<Partition>,
    /// The monotonic time until which the worker waits for the last checkpoints.
    pub(super) deadline: Duration,
}
