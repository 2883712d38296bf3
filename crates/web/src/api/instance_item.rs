//! Items of reports, with the name of the instance that reported them.

use serde::Serialize;

use crate::job::JobReport;
use crate::report::InstanceReport;

/// An item of a report, with the instance that reported it.
#[derive(Serialize)]
pub(super) struct InstanceItem<'a, T> {
    instance: &'a str,
    host: &'a str,
    here: bool,
    #[serde(flatten)]
    item: &'a T,
}

/// Returns the items that `select` takes from each report, newest first by `time_ms`, at most `limit`.
pub(super) fn newest_items<'a, T: Serialize + 'a>(
    job: &'a JobReport,
    select: impl Fn(&'a InstanceReport) -> &'a [T],
    time_ms: impl Fn(&T) -> i64,
    limit: usize,
) -> Vec<InstanceItem<'a, T>> {
    let newest = job.newest_items(select, time_ms).into_iter().take(limit);
    newest.map(|reported| attribute_to_instance(job, reported.instance, reported.item)).collect()
}

/// Returns `item` with the name of the instance that reported it.
pub(super) fn attribute_to_instance<'a, T>(
    job: &JobReport,
    instance: &'a InstanceReport,
    item: &'a T,
) -> InstanceItem<'a, T> {
    let here = is_own_instance(job, instance);
    InstanceItem { instance: &instance.instance, host: &instance.host, here, item }
}

/// Returns whether `instance` is the one that answers.
pub(super) fn is_own_instance(job: &JobReport, instance: &InstanceReport) -> bool {
    job.instances.first().is_some_and(|own| own.instance == instance.instance)
}
