//! The names of the reports, marks of open pages and stop requests in the checkpoint store.

/// The folder in the checkpoint store that holds the reports and stop requests.
pub(super) const INSTANCES_FOLDER: &str = "instances";

/// The kind of an object in the folder `instances`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InstanceObjectKind {
    /// A report of the instance, with the number of the report. A newer report has a larger number.
    Report(u64),
    /// A request that the instance stops.
    StopRequest,
    /// The instance has an open page that shows the reports of all instances. A newer mark has a larger number.
    OpenPageMark(u64),
}

/// Returns the name of the object that holds the report of `instance` with the number `number`.
pub(super) fn report_object_name(instance: &str, number: u64) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-{number:010}")
}

/// Returns the name of the object that marks an open page of `instance`. `number` is the number of the mark.
pub(super) fn open_page_mark_name(instance: &str, number: u64) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-page-{number:010}")
}

/// Returns the name of the object that asks `instance` to stop.
pub(super) fn stop_request_object_name(instance: &str) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-stop")
}

/// Splits the name of an object into the instance id and the kind of the object. Returns `None` for a name that is that of
/// neither a report, nor a mark, nor a stop request.
pub(super) fn parse_object_name(name: &str) -> Option<(&str, InstanceObjectKind)> {
    let (instance, suffix) = name.strip_prefix(INSTANCES_FOLDER)?.strip_prefix('/')?.rsplit_once('-')?;
    let (instance, object) = match (instance.strip_suffix("-page"), suffix) {
        (None, "stop") => (instance, InstanceObjectKind::StopRequest),
        (None, number) => (instance, InstanceObjectKind::Report(number.parse().ok()?)),
        (Some(instance), number) => (instance, InstanceObjectKind::OpenPageMark(number.parse().ok()?)),
    };
    let is_instance_name = !instance.is_empty() && instance.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_instance_name.then_some((instance, object))
}
