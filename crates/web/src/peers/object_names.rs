//! The names of the reports and stop requests in the checkpoint store.

/// The folder in the checkpoint store that holds the reports and stop requests.
pub(super) const INSTANCES_FOLDER: &str = "instances";

/// The kind of an object in the folder `instances`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InstanceObjectKind {
    /// A report of the instance, with the number of the report. A newer report has a larger number.
    Report(u64),
    /// A request that the instance stops.
    StopRequest,
}

/// Returns the name of the object that holds the report of `instance` with the number `number`.
pub(super) fn report_object_name(instance: &str, number: u64) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-{number:010}")
}

/// Returns the name of the object that asks `instance` to stop.
pub(super) fn stop_request_object_name(instance: &str) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-stop")
}

/// Splits the name of an object into the instance id and the kind of the object. Returns `None` for a name that is
/// neither that of a report nor that of a stop request.
pub(super) fn parse_object_name(name: &str) -> Option<(&str, InstanceObjectKind)> {
    let (instance, suffix) = name.strip_prefix(INSTANCES_FOLDER)?.strip_prefix('/')?.rsplit_once('-')?;
    let object = match suffix {
        "stop" => InstanceObjectKind::StopRequest,
        number => InstanceObjectKind::Report(number.parse().ok()?),
    };
    let is_instance_name = !instance.is_empty() && instance.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_instance_name.then_some((instance, object))
}
