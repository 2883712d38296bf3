//! Combines an item of a report, such as a checkpoint or a late event, with the instance that reported the item.

use serde::Serialize;

use crate::job::JobReport;
use crate::report::InstanceReport;

/// The JSON of an item from a report, with the instance that reported the item.
#[derive(Serialize)]
pub(super) struct ItemWithInstance<'a, T> {
    instance: &'a str,
    host: &'a str,
    here: bool,
    #[serde(flatten)]
    item: &'a T,
}

/// Returns the `limit` newest items of all instances, newest first. `select` returns the items in one instance's
/// report, and `time_ms` returns the time of an item, in epoch milliseconds.
pub(super) fn newest_items_with_instance<'a, T: Serialize + 'a>(
    job: &'a JobReport,
    select: impl Fn(&'a InstanceReport) -> &'a [T],
    time_ms: impl Fn(&T) -> i64,
    limit: usize,
) -> Vec<ItemWithInstance<'a, T>> {
    let newest = job.items_newest_first(select, time_ms).into_iter().take(limit);
    newest.map(|reported| attribute_to_instance(job, reported.reporting_instance, reported.item)).collect()
}

/// Returns `item` together with `instance`, which reported the item.
pub(super) fn attribute_to_instance<'a, T>(
    job: &JobReport,
    instance: &'a InstanceReport,
    item: &'a T,
) -> ItemWithInstance<'a, T> {
    let here = is_own_instance(job, instance);
    ItemWithInstance { instance: &instance.instance_id, host: &instance.host, here, item }
}

/// Returns whether `instance` is the instance that answers the current HTTP request.
pub(super) fn is_own_instance(job: &JobReport, instance: &InstanceReport) -> bool {
    job.instances.first().is_some_and(|own| own.instance_id == instance.instance_id)
}
