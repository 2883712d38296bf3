//! `events` of `[[test]]`: the records of a test, and what the wall clock shows. A TOML table becomes the JSON object of an
//! event.

use serde_json::{Value, json};

use super::expected_rows::TestedPipeline;
use super::test_times::read_test_time;
use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::{DocumentNode, DocumentTable, DocumentValue};
use crate::pipeline_test::TestStep;
use crate::read::section::SettingValue;
use crate::read::setting::PipelineSetting;

const EXPECTED_EVENTS: &str = "a list of events: `[{ user_id = \"111\", event_time = \"2024-01-01T10:00:00\" }]`";
const EXPECTED_EVENT: &str = "the JSON members of an event in braces, or a whole record as text";

/// The list of the records of a test.
pub(super) struct TestEvents;

impl SettingValue for TestEvents {
    fn to_schema(&self) -> Value {
        json!({ "type": "array", "items": { "type": ["object", "string"] } })
    }
}

/// The member with which a table says what the wall clock shows. An event has at least two members, its key and its time.
const CLOCK_MEMBER: &str = "at";

/// Reads the steps of a test. Returns `None` if at least one has a mistake.
pub(super) fn read_test_events(
    setting: &PipelineSetting<'_>,
    tested: &TestedPipeline<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<TestStep>> {
    let elements = setting.read_list(EXPECTED_EVENTS, mistakes)?;
    let steps: Vec<Option<TestStep>> =
        elements.iter().map(|element| read_test_step(element, tested, mistakes)).collect();
    steps.into_iter().collect()
}

fn read_test_step(
    element: &PipelineSetting<'_>,
    tested: &TestedPipeline<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<TestStep> {
    match element.value {
        DocumentValue::Text(record) => Some(TestStep::Record(record.clone())),
        DocumentValue::Table(DocumentTable { entries }) if entries.len() == 1 && entries[0].name == CLOCK_MEMBER => {
            // A mistake in [event] is reported there.
            let time_zone = &tested.event?.time_zone;
            let setting = element.child_setting(CLOCK_MEMBER, &entries[0].node);
            read_test_time(setting, time_zone, mistakes).map(|at| TestStep::ClockTime(at.time))
        }
        DocumentValue::Table(members) => format_json_object(members, mistakes).map(TestStep::Record),
        _ => {
            element.report_wrong_type("a table or text", EXPECTED_EVENT, mistakes);
            None
        }
    }
}

/// Returns a TOML table as JSON, with its members in the order of the file. Reports each value that JSON does not have.
fn format_json_object(table: &DocumentTable, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    let members: Vec<Option<String>> = table
        .entries
        .iter()
        .map(|entry| Some(format!("{}:{}", json!(entry.name), format_json_value(&entry.node, mistakes)?)))
        .collect();
    let members: Option<Vec<String>> = members.into_iter().collect();
    members.map(|members| format!("{{{}}}", members.join(",")))
}

// The TOML parser rejects more than 80 nested levels, so this recursion cannot overflow the stack.
fn format_json_value(node: &DocumentNode, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    match &node.value {
        DocumentValue::Text(text) => Some(json!(text).to_string()),
        DocumentValue::Integer(integer) => Some(integer.to_string()),
        DocumentValue::Float(float) if float.is_finite() => Some(json!(float).to_string()),
        DocumentValue::Boolean(truth) => Some(truth.to_string()),
        DocumentValue::Array(elements) => {
            let elements: Vec<Option<String>> =
                elements.iter().map(|element| format_json_value(element, mistakes)).collect();
            let elements: Option<Vec<String>> = elements.into_iter().collect();
            elements.map(|elements| format!("[{}]", elements.join(",")))
        }
        DocumentValue::Table(table) => format_json_object(table, mistakes),
        DocumentValue::Float(_) => {
            let message = "JSON has no number that is infinite or NaN";
            mistakes.report(DiagnosticCode::BadValue, &node.location, message, "a finite number");
            None
        }
        DocumentValue::Other(name) => {
            let message = format!("this is {name} of TOML, which JSON does not have");
            mistakes
                .report(DiagnosticCode::WrongType, &node.location, message, "text, as in the JSON of the event")
                .set_hint("write it in quotes: \"2024-01-01T10:00:00\"".to_owned());
            None
        }
        DocumentValue::Invalid => None,
    }
}
