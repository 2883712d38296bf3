//! The numbers that identify what a job reads and owns.

/// A partition's number within its topic.
pub type Partition = i32;

/// A record's place in its partition.
pub type Offset = i64;

/// Counts the owners of a partition: each claim has a larger one than all before it.
pub type Epoch = u64;
