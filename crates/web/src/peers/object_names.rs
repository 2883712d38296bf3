//! The names of the objects through which instances find each other.

/// The folder of these objects in the checkpoint store.
pub(super) const INSTANCES_FOLDER: &str = "instances";

/// The content of an object that belongs to an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InstanceObjectKind {
    /// The report with this number. A larger number is newer.
    Report(u64),
    /// A request to the instance to stop.
    StopRequest,
}

/// Returns the name of the object that holds a report.
pub(super) fn report_object_name(instance: &str, number: u64) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-{number:010}")
}

/// Returns the name of the object that requests `instance` to stop.
pub(super) fn stop_request_object_name(instance: &str) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-stop")
}

/// Returns the instance that an object belongs to, and the kind of object. Returns `None` for a name of another form.
pub(super) fn parse_object_name(name: &str) -> Option<(&str, InstanceObjectKind)> {
    let (instance, suffix) = name.strip_prefix(INSTANCES_FOLDER)?.strip_prefix('/')?.rsplit_once('-')?;
    let object = match suffix {
        "stop" => InstanceObjectKind::StopRequest,
        number => InstanceObjectKind::Report(number.parse().ok()?),
    };
    let is_instance_name = !instance.is_empty() && instance.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_instance_name.then_some((instance, object))
}
