//! Checks the keys of records: whether a record has a key, and whether it is in the partition in which the other records
//! of its entity are.
//!
//! A worker sees only its own partitions, so it cannot look for an entity in other partitions. It looks for evidence
//! within one partition instead ([`misplacement_detector`]). The facts that it uses: a partitioner of Kafka's clients
//! gives each record key one partition, and two record keys of one entity usually have different partitions. A declared
//! partitioner also tells of each record alone whether it is where the partitioner puts its key.
//!
//! Owns: how partitions follow from record keys, and when a record counts as misplaced. Does not own: what a worker does
//! with such a record (`worker/record_key_check.rs`).
//! Invariants: (1) Whether a record becomes a dead letter depends only on the record, the pipeline file and the number of
//! partitions. So a restart decides the same, and rows keep their numbers. (2) The memory of a partition's detector has
//! a fixed size.

mod key_form;
mod key_partition;
mod misplacement_detector;
mod placement_rules;

pub(crate) use misplacement_detector::MisplacementDetector;
pub use placement_rules::RecordPlacementRules;
pub(crate) use placement_rules::{MisplacedRecord, Misplacement};

#[cfg(test)]
mod tests;
