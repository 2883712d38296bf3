//! What identifies a partition, a place in it, and its owner. Imports nothing of this crate, so that faults can carry it.

use std::collections::BTreeMap;

/// The number of a partition within its topic.
pub type Partition = i32;

/// The place of a record in its partition.
pub type Offset = i64;

/// For some partitions, the offset of the next record to read.
pub type PartitionOffsets = BTreeMap<Partition, Offset>;

/// Counts the owners of a partition: each claim has a larger epoch than all claims before it.
pub type Epoch = u64;

/// Identifies the owner of a partition in one epoch to a store of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FenceToken {
    /// The partition whose shard produced the row.
    pub partition: Partition,
    /// The epoch in which this worker owns that partition.
    pub epoch: Epoch,
}
