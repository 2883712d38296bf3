//! The identifiers of a partition, of a record in the partition, and of the partition's owner. This module imports no
//! other module of the crate, so that every error type can hold these identifiers.

use std::collections::BTreeMap;

/// The number of a partition within its topic.
pub type Partition = i32;

/// The position of a record in its partition.
pub type Offset = i64;

/// The offset of the next record to read, per partition.
pub type PartitionOffsets = BTreeMap<Partition, Offset>;

/// The number of a claim to a partition. Each claim has a larger epoch than every earlier claim.
pub type Epoch = u64;

/// Identifies the owner of a partition in one epoch. The row store compares tokens, and refuses rows of former owners.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FenceToken {
    /// The partition whose shard produces the rows.
    pub partition: Partition,
    /// The epoch in which the worker owns the partition.
    pub epoch: Epoch,
}
