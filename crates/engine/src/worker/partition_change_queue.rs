//! The types of the queue of partition changes: pending changes, and the change in progress.

use std::time::Duration;

use super::partition_phase::OpenReason;
use crate::{Partition, PartitionOffsets};

/// A change of the worker's partitions that has not started.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum PendingPartitionChange {
    /// The group assigned these partitions.
    Open(Vec<Partition>),
    /// The group revokes these partitions, and waits for their last checkpoints.
    Release(Vec<Partition>),
    /// The worker drops these partitions, because the group has already assigned them to another member.
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
    /// The offsets at which reading starts; `None` until all shards are restored and the source has resolved the
    /// offsets.
    pub(super) start_offsets: Option<PartitionOffsets>,
}

/// Partitions that are released together.
#[derive(Debug)]
pub(super) struct ReleasingBatch {
    pub(super) partitions: Vec<Partition>,
    /// The monotonic time until which the worker waits for the last checkpoints.
    pub(super) deadline: Duration,
}
