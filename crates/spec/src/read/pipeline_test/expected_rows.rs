//! `rows` and `late` of `[[test]]`: what a test expects of each view.
//!
//! The members of a row have the names of `windrow replay`: the entity key, `window_start`, `window_end` and the
//! features. No feature can have another of these names, so no member means two things.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use windrow_core::{EventSchema, FeatureView, FieldType, Literal, ViewId};

use super::test_times::{TestTime, WindowTimes, read_test_time};
use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::{DocumentTable, DocumentValue, TableEntry};
use crate::pipeline::EventSpec;
use crate::pipeline_test::{ExpectedFeature, ExpectedLateEvent, ExpectedTestRow, ExpectedViewRows};
use crate::read::section::SettingValue;
use crate::read::setting::{MistakeAlreadyReported, PipelineSetting};
use crate::suggestion::{build_closest_name_hint, join_names_with_or};

const WINDOW_START: &str = "window_start";
const WINDOW_END: &str = "window_end";
const EVENT_TIME: &str = "event_time";
const EXPECTED_VIEWS: &str = "a list for each feature view";
const EXPECTED_ROW_LIST: &str =
    "a list of rows: `[{ user_id = \"111\", window_end = \"2024-01-01T11:00:00\", FEATURE = 1 }]`";
const EXPECTED_LATE_LIST: &str =
    "a list of late events: `[{ user_id = \"111\", event_time = \"2024-01-01T10:00:00\" }]`";
/// The value of a feature that has no value.
const NULL_VALUE: &str = "{ null = true }";

/// The parts of the pipeline that a test names. A part with a mistake is `None`; then nothing that depends on it is
/// checked.
pub(crate) struct TestedPipeline<'p> {
    pub(crate) event: Option<&'p EventSpec>,
    pub(crate) views: Option<&'p [FeatureView]>,
}

/// The setting `rows`.
pub(super) struct ExpectedRows;

impl SettingValue for ExpectedRows {
    fn to_schema(&self) -> Value {
        json!({ "type": "object", "additionalProperties": { "type": "array", "items": { "type": "object" } } })
    }
}

/// The setting `late`.
pub(super) struct ExpectedLateEvents;

impl SettingValue for ExpectedLateEvents {
    fn to_schema(&self) -> Value {
        let time = json!({ "type": ["string", "integer"] });
        let event = json!({ "type": "object", "properties": { EVENT_TIME: time }, "required": [EVENT_TIME] });
        json!({ "type": "object", "additionalProperties": { "type": "array", "items": event } })
    }
}

/// Reads the rows of each view. Returns `None` after a mistake, and if the pipeline itself has mistakes.
pub(super) fn read_expected_rows(
    setting: &PipelineSetting<'_>,
    tested: &TestedPipeline<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<ExpectedViewRows>> {
    let read = |entries: ViewEntries<'_, '_>, mistakes: &mut DiagnosticCollector<'_>| {
        let rows = entries.read_each(EXPECTED_ROW_LIST, mistakes, read_expected_row)?;
        Some(ExpectedViewRows { view_id: entries.view_id, rows })
    };
    read_by_view(setting, tested, mistakes, read)
}

/// Reads the late events of each view. Returns `None` after a mistake, and if the pipeline itself has mistakes.
pub(super) fn read_expected_late_events(
    setting: &PipelineSetting<'_>,
    tested: &TestedPipeline<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<ExpectedLateEvent>> {
    let read = |entries: ViewEntries<'_, '_>, mistakes: &mut DiagnosticCollector<'_>| {
        entries.read_each(EXPECTED_LATE_LIST, mistakes, read_expected_late_event)
    };
    Some(read_by_view(setting, tested, mistakes, read)?.into_iter().flatten().collect())
}

/// What a test lists for one view.
struct ViewEntries<'a, 'p> {
    list: PipelineSetting<'a>,
    view_id: ViewId,
    view: &'p FeatureView,
    event: &'p EventSpec,
}

fn read_by_view<'a, T>(
    setting: &PipelineSetting<'a>,
    tested: &TestedPipeline<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
    read: impl Fn(ViewEntries<'a, '_>, &mut DiagnosticCollector<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let table = setting.read_table(EXPECTED_VIEWS, mistakes)?;
    let (event, views) = (tested.event?, tested.views?);
    let mut found = Vec::new();
    for entry in &table.entries {
        let Some(index) = views.iter().position(|view| *view.name == entry.name) else {
            let names = || views.iter().map(|view| &*view.name);
            let message = format!("there is no feature view `{}`", entry.name.escape_debug());
            mistakes
                .report(DiagnosticCode::UnknownField, &entry.name_location, message, join_names_with_or(names()))
                .set_hint(build_closest_name_hint(&entry.name, names()));
            found.push(None);
            continue;
        };
        let list = setting.child_setting(&entry.name, &entry.node);
        found.push(read(ViewEntries { list, view_id: ViewId(index), view: &views[index], event }, mistakes));
    }
    found.into_iter().collect()
}

impl<'a, 'p> ViewEntries<'a, 'p> {
    fn read_each<T>(
        &self,
        expected: &str,
        mistakes: &mut DiagnosticCollector<'_>,
        read: impl Fn(&TestedEntry<'a, 'p>, &mut DiagnosticCollector<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut found = Vec::new();
        for setting in self.list.read_list(expected, mistakes)? {
            let table = setting.read_table(expected, mistakes);
            let entry = table.map(|table| TestedEntry {
                setting,
                table,
                view_id: self.view_id,
                view: self.view,
                event: self.event,
            });
            found.push(entry.and_then(|entry| read(&entry, mistakes)));
        }
        found.into_iter().collect()
    }
}

/// An entry of a list: a row or a late event.
struct TestedEntry<'a, 'p> {
    setting: PipelineSetting<'a>,
    table: &'a DocumentTable,
    view_id: ViewId,
    view: &'p FeatureView,
    event: &'p EventSpec,
}

fn read_expected_row(entry: &TestedEntry<'_, '_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<ExpectedTestRow> {
    let key_name = entry.event.schema.entity_key_name();
    let feature_names = entry.view.features.iter().map(|feature| &*feature.name);
    let fixed_names = [key_name, WINDOW_START, WINDOW_END];
    let is_known = entry.report_unknown_members(fixed_names.into_iter().chain(feature_names), mistakes);
    let entity_key = entry.read_entity_key(mistakes);
    let zone = &entry.event.time_zone;
    let start = entry.read_time(WINDOW_START, zone, mistakes);
    let end = entry.read_time(WINDOW_END, zone, mistakes);
    let features: Vec<Option<ExpectedFeature>> = entry
        .view
        .features
        .iter()
        .enumerate()
        .filter_map(|(feature_index, feature)| Some((feature_index, feature, entry.table.get(&feature.name)?)))
        .map(|(feature_index, feature, member)| {
            let output = feature.aggregate.output_type(&entry.event.schema);
            let setting = entry.setting.child_setting(&feature.name, &member.node);
            read_expected_value(&setting, output, mistakes).ok().map(|value| ExpectedFeature { feature_index, value })
        })
        .collect();
    if entry.table.get(WINDOW_START).is_none() && entry.table.get(WINDOW_END).is_none() {
        let message = "the row names neither the start nor the end of its window";
        let expected = "`window_start = \"…\"` or `window_end = \"…\"`";
        mistakes.report(DiagnosticCode::MissingField, entry.setting.location, message, expected);
        return None;
    }
    let times = WindowTimes { start: start.ok()?, end: end.ok()? };
    let is_possible = times.check_window(entry.view, zone, mistakes);
    let row = ExpectedTestRow {
        line: mistakes.find_line(entry.setting.location),
        entity_key: entity_key?,
        window_start: times.start.map(|start| start.time),
        window_end: times.end.map(|end| end.time),
        features: features.into_iter().collect::<Option<_>>()?,
    };
    (is_possible && is_known).then_some(row)
}

fn read_expected_late_event(
    entry: &TestedEntry<'_, '_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<ExpectedLateEvent> {
    let is_known = entry.report_unknown_members([entry.event.schema.entity_key_name(), EVENT_TIME], mistakes);
    if !is_known {
        return None;
    }
    let entity_key = entry.read_entity_key(mistakes);
    let Some(TestTime { time: event_time, .. }) = entry.read_time(EVENT_TIME, &entry.event.time_zone, mistakes).ok()?
    else {
        let message = "the late event has no event time";
        mistakes.report(DiagnosticCode::MissingField, entry.setting.location, message, "`event_time = \"…\"`");
        return None;
    };
    let line = mistakes.find_line(entry.setting.location);
    Some(ExpectedLateEvent { view_id: entry.view_id, line, entity_key: entity_key?, event_time })
}

impl<'a> TestedEntry<'a, '_> {
    /// Reports the members with names that are not in `known`. Returns whether there are none.
    fn report_unknown_members<'n>(
        &self,
        known: impl IntoIterator<Item = &'n str>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> bool {
        let known: Vec<&str> = known.into_iter().collect();
        let is_unknown = |entry: &&TableEntry| !known.contains(&entry.name.as_str());
        let mut unknown = self.table.entries.iter().filter(is_unknown).peekable();
        let is_known = unknown.peek().is_none();
        for entry in unknown {
            let message = format!("unknown member `{}` for `{}`", entry.name.escape_debug(), self.view.name);
            let expected = join_names_with_or(known.iter().copied());
            let hint = build_closest_name_hint(&entry.name, known.iter().copied());
            mistakes.report(DiagnosticCode::UnknownField, &entry.name_location, message, expected).set_hint(hint);
        }
        is_known
    }

    /// Reads the entity key. As in an event, an integer is read as its text.
    fn read_entity_key(&self, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
        let schema: &EventSchema = &self.event.schema;
        let name = schema.entity_key_name();
        let Some(member) = self.table.get(name) else {
            let message = format!("`{name}` is missing, so it is unknown whose row or event this is");
            mistakes.report(DiagnosticCode::MissingField, self.setting.location, message, format!("`{name} = \"…\"`"));
            return None;
        };
        match &member.node.value {
            DocumentValue::Integer(number) => Some(number.to_string()),
            DocumentValue::Text(text) => Some(text.clone()),
            _ => {
                self.setting.child_setting(name, &member.node).report_wrong_type("text", "the entity key", mistakes);
                None
            }
        }
    }

    /// Reads a time, or returns `None` if the entry does not contain it.
    fn read_time(
        &self,
        name: &str,
        time_zone: &TimeZone,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Result<Option<TestTime<'a>>, MistakeAlreadyReported> {
        let Some(member) = self.table.get(name) else { return Ok(None) };
        let setting = self.setting.child_setting(name, &member.node);
        read_test_time(setting, time_zone, mistakes).map(Some).ok_or(MistakeAlreadyReported)
    }
}

/// Reads the value of a feature with the type `output`, which is `None` for NULL.
fn read_expected_value(
    setting: &PipelineSetting<'_>,
    output: FieldType,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Result<Option<Literal>, MistakeAlreadyReported> {
    let value = match (output, setting.value) {
        (FieldType::Double, DocumentValue::Float(number)) => Literal::Double(*number),
        // As in a default, 1 means 1.0.
        (FieldType::Double, DocumentValue::Integer(number)) => Literal::Double(*number as f64),
        (FieldType::Long, DocumentValue::Integer(number)) => Literal::Long(*number),
        (FieldType::String, DocumentValue::Text(text)) => Literal::String(text.as_str().into()),
        (FieldType::Boolean, DocumentValue::Boolean(truth)) => Literal::Boolean(*truth),
        (_, DocumentValue::Table(table)) if is_null_table(table) => return Ok(None),
        (_, DocumentValue::Invalid) => return Err(MistakeAlreadyReported),
        (output, value) => {
            let message =
                format!("`{}` is {}, but the feature is a {}", setting.path, value.describe_type(), output.type_name());
            let expected = match output {
                FieldType::Double => "a number such as 29.99",
                FieldType::Long => "an integer such as 1",
                FieldType::String => "text such as \"view\"",
                FieldType::Boolean => "true or false",
            };
            mistakes
                .report(DiagnosticCode::TypeMismatch, setting.location, message, expected)
                .set_hint(format!("for NULL, write {NULL_VALUE}"));
            return Err(MistakeAlreadyReported);
        }
    };
    Ok(Some(value))
}

fn is_null_table(table: &DocumentTable) -> bool {
    matches!(
        table.entries.as_slice(),
        [entry] if entry.name == "null" && matches!(entry.node.value, DocumentValue::Boolean(true))
    )
}
