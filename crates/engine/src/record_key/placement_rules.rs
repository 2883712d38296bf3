//! What a job knows about the placement of its records in partitions.

use std::fmt;

use windrow_core::{MisplacedRecordPolicy, Partitioner};

use super::key_form::KeyForm;
use super::key_partition::compute_key_partition;
use crate::Partition;

/// What a job knows about the placement of its records in partitions, and what it does with misplaced records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordPlacementRules {
    /// The number of partitions of the topic.
    pub partition_count: Partition,
    /// The partitioner of all producers, if the pipeline declares it. With `None`, each partition of a worker looks for
    /// evidence that producers place records of one entity in several partitions.
    pub declared_partitioner: Option<Partitioner>,
    /// What a worker does with a misplaced record. `DeadLetter` needs a declared partitioner.
    pub misplaced_policy: MisplacedRecordPolicy,
}

/// A record in another partition than the other records of its entity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Misplacement {
    /// The partition in which the record belongs.
    pub(crate) expected_partition: Partition,
    pub(crate) cause: MisplacementCause,
}

/// A record in another partition than the other records of its entity, as messages show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MisplacedRecord {
    pub(crate) record_key: String,
    pub(crate) entity_key: String,
    pub(crate) key_field: String,
    pub(crate) misplacement: Misplacement,
}

/// Why records of one entity are in several partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MisplacementCause {
    /// Records of one entity have different record keys, and the partition follows from the whole record key.
    VaryingRecordKeys,
    /// Some records are placed by one partitioner, some by the other.
    TwoPartitioners,
    /// The pipeline declares a partitioner that gives the entity another partition.
    OtherThanDeclared,
}

impl fmt::Display for MisplacementCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VaryingRecordKeys => "the record key is not the entity key",
            Self::TwoPartitioners => "producers use different partitioners",
            Self::OtherThanDeclared => "the declared partitioner gives the entity key another partition",
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

    /// Returns where a record in `found_partition` belongs, if `partitioner` gives its entity another partition. The
    /// record key is used as it is if it holds the entity key in a known form, otherwise the text of the entity key.
    pub(super) fn find_declared_misplacement(
        &self,
        partitioner: Partitioner,
        found_partition: Partition,
        record_key: &[u8],
        entity_key: &str,
    ) -> Option<Misplacement> {
        let placed_key = match KeyForm::find_form(record_key, entity_key) {
            Some(_) => record_key,
            None => entity_key.as_bytes(),
        };
        let expected_partition = compute_key_partition(partitioner, placed_key, self.partition_count);
        (expected_partition != found_partition)
            .then_some(Misplacement { expected_partition, cause: MisplacementCause::OtherThanDeclared })
    }
}
