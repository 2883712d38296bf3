//! The names of the objects through which instances find each other.

/// The folder of these objects in the checkpoint store.
pub(super) const INSTANCES_FOLDER: &str = "instances";

/// What an object of an instance holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InstanceObject {
    /// The report with this number; a larger number is newer.
    Report(u64),
    /// A request to stop.
    StopRequest,
}

/// Returns the name of a report.
pub(super) fn report_object_name(instance: &str, number: u64) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-{number:010}")
}

/// Returns the name of a request to stop.
pub(super) fn stop_object_name(instance: &str) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-stop")
}

/// Returns the instance that an object belongs to, and what the object holds. Returns `None` for a foreign object.
pub(super) fn parse_object_name(name: &str) -> Option<(&str, InstanceObject)> {
    let (instance, suffix) = name.strip_prefix(INSTANCES_FOLDER)?.strip_prefix('/')?.rsplit_once('-')?;
    let object = match suffix {
        "stop" => InstanceObject::StopRequest,
        number => InstanceObject::Report(number.parse().ok()?),
    };
    let is_instance_name = !instance.is_empty() && instance.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_instance_name.then_some((instance, object))
}
