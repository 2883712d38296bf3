//! The reports of all instances at one time.

use std::cmp::Reverse;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::report::InstanceReport;

/// The reports of all instances of a job.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct JobReport {
    /// The time at which the reports were collected, in milliseconds since the Unix epoch.
    pub assembled_at_ms: i64,
    /// The report of this process, followed by the reports of the other instances, sorted by instance id. The report of
    /// this process is always present.
    pub instances: Vec<InstanceReport>,
    /// Whether further instances may exist, whose reports have not been read yet. The report is then a part of the job.
    pub has_unread_instances: bool,
}

/// An item of an instance's report, for example a dead letter, with the report of that instance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ReportedItem<'a, T> {
    /// The report of the instance that reported the item.
    pub reporting_instance: &'a InstanceReport,
    /// The reported item.
    pub item: &'a T,
}

/// Computes the id of a job from the name of its pipeline and its consumer group. The id consists of 32 hexadecimal
/// digits. The algorithm must never change, because scripts may store the id.
#[must_use]
pub fn compute_job_id(pipeline: &str, group: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(pipeline.as_bytes());
    hasher.write(&[0]);
    hasher.write(group.as_bytes());
    format!("{:032x}", u128::from(hasher.finish128()))
}

impl JobReport {
    /// Returns the start time of the instance that started first.
    #[must_use]
    pub fn oldest_instance_started_at_ms(&self) -> i64 {
        self.instances.iter().map(|instance| instance.started_at_ms).min().unwrap_or_default()
    }

    /// Returns the number of partitions of the topic, or 0 while no instance knows this number.
    #[must_use]
    pub fn topic_partition_count(&self) -> i32 {
        self.instances.iter().map(|instance| instance.topic_partition_count).max().unwrap_or_default()
    }

    /// Returns the items that `select` takes from each report, sorted by the time that `time_ms` returns for an item.
    /// The newest item is first.
    pub fn items_newest_first<'a, T: 'a>(
        &'a self,
        select: impl Fn(&'a InstanceReport) -> &'a [T],
        time_ms: impl Fn(&T) -> i64,
    ) -> Vec<ReportedItem<'a, T>> {
        let mut items: Vec<_> = self
            .instances
            .iter()
            .flat_map(|instance| {
                select(instance).iter().map(move |item| ReportedItem { reporting_instance: instance, item })
            })
            .collect();
        items.sort_by_key(|reported| Reverse(time_ms(reported.item)));
        items
    }
}
