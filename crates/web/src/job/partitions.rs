//! Which instance owns which partition.

use super::job_report::JobReport;
use crate::report::{InstanceReport, PartitionReport};

/// A partition of the topic, and its owner.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PartitionOwnership<'a> {
    /// The number of the partition.
    pub partition: i32,
    /// The owner, if there is one.
    pub owner: Option<PartitionOwner<'a>>,
}

/// The owner of a partition.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PartitionOwner<'a> {
    /// The instance that owns the partition.
    pub instance: &'a InstanceReport,
    /// What that instance reports about the partition.
    pub report: &'a PartitionReport,
}

impl JobReport {
    /// Returns all partitions of the topic, by number.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionOwnership<'_>> {
        let claims = || {
            self.instances
                .iter()
                .flat_map(|instance| instance.partitions.iter().map(move |report| PartitionOwner { instance, report }))
        };
        let ownership = |partition| {
            let of_partition = claims().filter(|claim| claim.report.partition == partition);
            PartitionOwnership { partition, owner: of_partition.max_by_key(|claim| claim.report.epoch) }
        };
        let claimed = claims().map(|claim| claim.report.partition + 1).max().unwrap_or_default();
        (0..self.topic_partitions().max(claimed)).map(ownership).collect()
    }

    /// Returns the owner of each partition that has one.
    pub fn owned_partitions(&self) -> impl Iterator<Item = PartitionOwner<'_>> {
        self.partitions().into_iter().filter_map(|partition| partition.owner)
    }
}
