//! What a pipeline declares about the partitions of its records.

/// The hash with which producers choose the partition of a record from its record key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Partitioner {
    /// The hash of Java clients, and of librdkafka's `murmur2` and `murmur2_random`.
    Murmur2,
    /// The hash of librdkafka's default `consistent_random`, and of `consistent`.
    Crc32,
}

impl Partitioner {
    /// All partitioners.
    pub const ALL: [Self; 2] = [Self::Murmur2, Self::Crc32];

    /// Returns the name of the partitioner in the pipeline file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2",
            Self::Crc32 => "crc32",
        }
    }
}

/// What a worker does with a misplaced record. A record is misplaced if it is not in the partition in which the other
/// records of its entity are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MisplacedRecordPolicy {
    /// The worker counts and shows the record, and processes it like any other.
    Warn,
    /// The record becomes a dead letter.
    DeadLetter,
    /// The job halts.
    Halt,
}

impl MisplacedRecordPolicy {
    /// Returns the name of the policy in the pipeline file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::DeadLetter => "dead_letter",
            Self::Halt => "halt",
        }
    }
}
