//! The identifiers of a partition, of a record in the partition, and of the partition's owner. This module imports no
//! other module of the crate. Every other module can therefore import this module without an import circle.

use std::collections::BTreeMap;

/// The number of a partition within its topic.
pub type Partition = i32;

/// The position of a record in its partition.
pub type Offset = i64;

/// For each partition, the offset of the next record to read.
pub type PartitionOffsets = BTreeMap<Partition, Offset>;

/// The number of a claim to a partition. Each claim has a larger epoch than all earlier claims to the same partition.
pub type Epoch = u64;

/// Kafka's number of a partition's leader. Each leader has a larger number than all earlier leaders of the partition. Not
/// to be confused with [`Epoch`], which numbers claims.
pub type LeaderEpoch = i32;

/// Identifies the owner of a partition in one epoch. A worker sends every row together with its fence token. The row
/// store can therefore refuse the rows of former owners.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FenceToken {
    /// The partition that the worker owns.
    pub partition: Partition,
    /// The epoch under which the worker owns the partition.
    pub epoch: Epoch,
}
