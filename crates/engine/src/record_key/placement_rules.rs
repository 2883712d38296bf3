//! What a job knows about the placement of its records in partitions.

use std::fmt;

use windrow_core::{MisplacedRecordPolicy, Partitioner};

use crate::{Partition, SourceRecord};

/// What a job knows about the placement of its records in partitions, and what it does with misplaced records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordPlacementRules {
    /// The number of partitions of the topic.
    pub partition_count: Partition,
    /// The partitioner of all producers, if the pipeline declares it. A record that it does not place in its partition is
    /// misplaced. With or without it, each partition of a worker looks for evidence that producers place records of one
    /// entity in several partitions.
    pub declared_partitioner: Option<Partitioner>,
    /// What a worker does with a misplaced record. `DeadLetter` needs a declared partitioner, and applies only to records
    /// that this partitioner does not place in their partition.
    pub misplaced_policy: MisplacedRecordPolicy,
}

/// A record in another partition than the other records of its entity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Misplacement {
    /// The partition in which the record belongs.
    pub(crate) expected_partition: Partition,
    pub(crate) cause: MisplacementCause,
}

/// A record in another partition than the other records of its entity, with data borrowed from the worker. Messages are
/// made only of those that a worker shows, because millions of records may be misplaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MisplacedRecord<'a> {
    pub(crate) source_record: &'a SourceRecord<'a>,
    pub(crate) record_key: &'a [u8],
    pub(crate) entity_key: &'a str,
    pub(crate) key_field: &'a str,
    pub(crate) misplacement: Misplacement,
}

/// Why records of one entity are in several partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MisplacementCause {
    /// Records of one entity have different record keys, and the partition follows from the whole record key.
    VaryingRecordKeys,
    /// Some records are placed by one partitioner, some by the other.
    TwoPartitioners,
    /// The pipeline declares a partitioner that gives the record key another partition.
    OtherThanDeclared,
}

impl MisplacementCause {
    /// Returns whether the record alone shows that it is misplaced. Otherwise earlier records were the evidence, which
    /// a restart forgets.
    pub(crate) const fn follows_from_record(self) -> bool {
        matches!(self, Self::OtherThanDeclared)
    }
}

impl fmt::Display for MisplacementCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VaryingRecordKeys => "the record key is not the entity key",
            Self::TwoPartitioners => "producers use different partitioners",
            Self::OtherThanDeclared => "the declared partitioner gives the record key another partition",
        })
    }
}

impl RecordPlacementRules {
    /// The rules of a topic with one partition, and of a file. No record is misplaced.
    pub const SINGLE_PARTITION: Self =
        Self { partition_count: 1, declared_partitioner: None, misplaced_policy: MisplacedRecordPolicy::Warn };

    /// Returns whether a record needs a key. Without a key, the records of one entity are in any partition.
    #[must_use]
    pub const fn requires_record_keys(&self) -> bool {
        self.partition_count > 1
    }

    /// Returns which records become dead letters, as the end of the text about the decoding rules.
    pub(crate) fn describe_refused_records(&self) -> String {
        let keyless = if self.requires_record_keys() { ", no records without a key" } else { "" };
        let misplaced = match (self.declared_partitioner, self.misplaced_policy) {
            (Some(partitioner), MisplacedRecordPolicy::DeadLetter) if self.requires_record_keys() => {
                format!(", placed by {} in {} partitions", partitioner.name(), self.partition_count)
            }
            _ => String::new(),
        };
        format!("{keyless}{misplaced}")
    }
}
