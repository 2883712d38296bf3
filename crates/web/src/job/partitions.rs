//! The owner of each partition, and the partitions that are parked.

use std::collections::{BTreeMap, BTreeSet};

use super::job_report::{JobReport, ReportedItem};
use crate::report::{InstanceReport, ParkedPartitionReport, PartitionReport};

/// A partition of the topic, with the owner of the partition if an instance owns it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PartitionAndOwner<'a> {
    /// The number of the partition.
    pub partition: i32,
    /// The owner of the partition; `None` if no instance owns the partition.
    pub owner: Option<PartitionOwner<'a>>,
}

/// The instance that owns a partition, and the instance's report about the partition.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PartitionOwner<'a> {
    /// The instance that owns the partition.
    pub instance: &'a InstanceReport,
    /// The report of the owner about the partition.
    pub partition_report: &'a PartitionReport,
}

impl JobReport {
    /// Returns all partitions of the topic in ascending order, with and without an owner. If two instances report that
    /// they own the same partition, the instance with the larger epoch is the owner.
    #[must_use]
    pub fn partitions_and_owners(&self) -> Vec<PartitionAndOwner<'_>> {
        let claims = || {
            self.instances.iter().flat_map(|instance| {
                instance
                    .owned_partitions
                    .iter()
                    .map(move |report| PartitionOwner { instance, partition_report: report })
            })
        };
        let ownership = |partition| {
            let of_partition = claims().filter(|claim| claim.partition_report.partition == partition);
            PartitionAndOwner { partition, owner: of_partition.max_by_key(|claim| claim.partition_report.epoch) }
        };
        let claimed = claims().map(|claim| claim.partition_report.partition + 1).max().unwrap_or_default();
        (0..self.topic_partition_count().max(claimed)).map(ownership).collect()
    }

    /// Returns the parked partitions in ascending order, with the instances that have parked them. A partition that
    /// another instance reads meanwhile is left out: the report that it is parked is older.
    #[must_use]
    pub fn parked_partitions(&self) -> Vec<ReportedItem<'_, ParkedPartitionReport>> {
        let owned: BTreeSet<i32> = self.partition_owners().map(|owner| owner.partition_report.partition).collect();
        let mut parked_by_partition = BTreeMap::new();
        for reporting_instance in &self.instances {
            for item in reporting_instance.parked_partitions.iter().filter(|parked| !owned.contains(&parked.partition))
            {
                let newest =
                    parked_by_partition.entry(item.partition).or_insert(ReportedItem { reporting_instance, item });
                if item.retry_at_ms > newest.item.retry_at_ms {
                    *newest = ReportedItem { reporting_instance, item };
                }
            }
        }
        parked_by_partition.into_values().collect()
    }

    /// Returns the owners of the partitions that have an owner.
    pub fn partition_owners(&self) -> impl Iterator<Item = PartitionOwner<'_>> {
        self.partitions_and_owners().into_iter().filter_map(|partition| partition.owner)
    }
}
