//! Who owns which partition.

use super::JobReport;
use crate::InstanceReport;
use crate::report::PartitionReport;

/// A partition of the topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PartitionOwnership<'a> {
    /// Its number.
    pub partition: i32,
    /// Its owner, and what that one says of it.
    pub owner: Option<(&'a InstanceReport, &'a PartitionReport)>,
}

impl JobReport {
    /// All partitions of the topic, by number.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionOwnership<'_>> {
        let owned =
            || self.instances.iter().flat_map(|one| one.partitions.iter().map(move |partition| (one, partition)));
        let of = |partition| {
            let claims = owned().filter(|(_, claim)| claim.partition == partition);
            PartitionOwnership { partition, owner: claims.max_by_key(|(_, claim)| claim.epoch) }
        };
        let beyond = owned().map(|(_, claim)| claim.partition + 1).max().unwrap_or_default();
        (0..self.topic_partitions().max(beyond)).map(of).collect()
    }

    /// The partitions that have an owner.
    pub fn owned_partitions(&self) -> impl Iterator<Item = (&InstanceReport, &PartitionReport)> {
        self.partitions().into_iter().filter_map(|partition| partition.owner)
    }
}
