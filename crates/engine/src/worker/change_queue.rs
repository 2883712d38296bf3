//! Changes of which partitions a worker owns: those that wait for their turn, and the one under way.

use std::time::Duration;

use super::partition_phase::OpenReason;
use crate::{Partition, PartitionOffsets};

/// A change that waits for its turn.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum PendingChange {
    /// The group assigned these partitions.
    Open(Vec<Partition>),
    /// The group takes these partitions back, and waits for their last checkpoints.
    Release(Vec<Partition>),
    /// The group has given these partitions to another member already.
    Drop(Vec<Partition>),
    /// The partition begins again at its last checkpoint.
    Restart(Partition),
}

/// The change that is under way.
#[derive(Debug)]
pub(super) enum ActiveChange {
    Opening(OpeningBatch),
    Releasing(ReleasingBatch),
}

/// Partitions that are opened together.
#[derive(Debug)]
pub(super) struct OpeningBatch {
    pub(super) partitions: Vec<Partition>,
    pub(super) reason: OpenReason,
    /// Where they are read from; the source is asked once all shards are restored.
    pub(super) start_offsets: Option<PartitionOffsets>,
}

/// Partitions that are given up together.
#[derive(Debug)]
pub(super) struct ReleasingBatch {
    pub(super) partitions: Vec<Partition>,
    /// Until when their last checkpoints are waited for.
    pub(super) deadline: Duration,
}
