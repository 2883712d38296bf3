//! `savepoints` of `[checkpoint]`: where savepoints that are requested over HTTP may go.

use serde_json::{Value, json};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::section::{ReadableValue, SettingValue};
use crate::read::setting::PipelineSetting;

const EXPECTED_LIST: &str = "a list: `[\"file:/backup\", \"s3://bucket/savepoints\"]`";
const EXPECTED_LOCATION: &str = "\"file:/absolute/path\", \"s3://bucket/prefix\", \"gs://…\" or \"az://…\"";
const DIRECTORY_SCHEME: &str = "file:";
const BUCKET_SCHEMES: [&str; 3] = ["s3://", "gs://", "az://"];

/// A setting whose value is a list of locations.
pub(super) struct SavepointLocations;

impl SettingValue for SavepointLocations {
    fn to_schema(&self) -> Value {
        let pattern =
            format!("^(?:{DIRECTORY_SCHEME}/|{})", BUCKET_SCHEMES.map(|scheme| format!("{scheme}[^/]")).join("|"));
        json!({ "type": "array", "items": { "type": "string", "pattern": pattern }, "default": [] })
    }
}

impl<'a> ReadableValue<'a> for SavepointLocations {
    type Content = Vec<String>;

    fn read_value(
        &self,
        setting: &PipelineSetting<'a>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<Self::Content> {
        let DocumentValue::Array(elements) = setting.value else {
            setting.report_wrong_type("a list", EXPECTED_LIST, mistakes);
            return None;
        };
        let locations: Vec<Option<String>> = elements
            .iter()
            .enumerate()
            .map(|(index, element)| {
                let element =
                    PipelineSetting { path: setting.path.clone(), location: &element.location, value: &element.value };
                let numbered = PipelineSetting { path: format!("{}[{index}]", setting.path), ..element.clone() };
                numbered.read_text(EXPECTED_LOCATION, mistakes)?;
                read_location(&element, mistakes)
            })
            .collect();
        locations.into_iter().collect()
    }

    fn default_content(&self) -> Option<Self::Content> {
        Some(Vec::new())
    }
}

fn read_location(element: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    let text = element.read_text_without_references(EXPECTED_LOCATION, mistakes)?;
    let Err(message) = check_location(text) else { return Some(text.to_owned()) };
    let is_absolute_path = text.starts_with('/');
    mistakes
        .report(DiagnosticCode::BadValue, element.location, message, EXPECTED_LOCATION)
        .set_hint(is_absolute_path.then(|| format!("for a directory, write \"{DIRECTORY_SCHEME}{text}\"")));
    None
}

/// Returns why `location` cannot hold savepoints.
fn check_location(location: &str) -> Result<(), &'static str> {
    let path = location.strip_prefix(DIRECTORY_SCHEME);
    let bucket = BUCKET_SCHEMES.iter().find_map(|scheme| location.strip_prefix(scheme));
    let rest = match (path, bucket) {
        (Some(path), _) if !path.starts_with('/') => {
            return Err(
                "a directory for savepoints must be absolute, because each process has its own working directory",
            );
        }
        (_, Some(bucket)) if bucket.is_empty() || bucket.starts_with('/') => return Err("the bucket is missing"),
        (_, Some(bucket)) if bucket.contains(['@', '?', '#']) => {
            return Err("a location for savepoints contains no credentials and no options");
        }
        (Some(rest), _) | (_, Some(rest)) => rest,
        (None, None) => return Err("this is not a location for savepoints"),
    };
    if rest.split('/').any(|name| matches!(name, "." | "..")) {
        return Err("a location for savepoints contains neither `.` nor `..`");
    }
    Ok(())
}
