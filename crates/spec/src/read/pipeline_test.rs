//! `[[test]]`: the tests of the pipeline, which `windrow test` runs.
//!
//! Owns: the settings of a test. Does not own: its records ([`test_events`]), its rows and late events
//! ([`expected_rows`]).

mod expected_rows;
mod test_events;
mod test_times;

use serde_json::{Value, json};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::document::DocumentValue;
use crate::pipeline_test::PipelineTest;
use crate::read::boolean::BooleanDefinition;
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition, SettingValue};
use crate::read::setting::PipelineSetting;
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};
use expected_rows::{ExpectedLateEvents, ExpectedRows, read_expected_late_events, read_expected_rows};
use test_events::{TestEvents, read_test_events};

pub(crate) use expected_rows::TestedPipeline;

const EXPECTED_TESTS: &str = "a table for each test: `[[test]]`";
const EXPECTED_REASONS: &str = "a list with a part of the reason of each dead letter: `[\"`price` must be\"]`";

pub(super) static TESTS: SettingDefinition<TestList> = SettingDefinition::optional(
    "test",
    TestList,
    "Tests of the pipeline, which `windrow test` runs: events, and what they must give.",
);
static TEST: &SectionDefinition = &SectionDefinition {
    expected: EXPECTED_TESTS,
    alternatives: &[],
    settings: &[&NAME, &EVENTS, &ROWS, &OTHER_ROWS, &LATE, &DEAD_LETTERS, &END_OF_INPUT],
};
static NAME: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "name",
    "name = \"what the test shows\"",
    TextDefinition { pattern: TextPattern::NotBlank, max_bytes: None, default: None },
    "The name of the test, unique in the file.",
);
static EVENTS: SettingDefinition<TestEvents> = SettingDefinition::required(
    "events",
    "events = [{ user_id = \"111\", event_time = \"2024-01-01T10:00:00\" }]",
    TestEvents,
    "The records of one partition, in order. A table is an event with its JSON members; a text is a record as it is. A table \
     with `at` alone says what the wall clock shows, while no record comes.",
);
static ROWS: SettingDefinition<ExpectedRows> = SettingDefinition::optional(
    "rows",
    ExpectedRows,
    "The rows of each named view, as `windrow replay` prints them. A row names the user, the start or the end of its \
     window, and the features to compare.",
);
static OTHER_ROWS: SettingDefinition<BooleanDefinition> = SettingDefinition::optional(
    "other_rows",
    BooleanDefinition { default: false },
    "Whether the views in `rows` may write rows that are not listed.",
);
static LATE: SettingDefinition<ExpectedLateEvents> = SettingDefinition::optional(
    "late",
    ExpectedLateEvents,
    "All events that are late for a view: user and event time, by view.",
);
static DEAD_LETTERS: SettingDefinition<DeadLetterReasons> = SettingDefinition::optional(
    "dead_letters",
    DeadLetterReasons,
    "A part of the reason of each dead letter, in order.",
);
static END_OF_INPUT: SettingDefinition<BooleanDefinition> = SettingDefinition::optional(
    "end_of_input",
    BooleanDefinition { default: false },
    "Whether all open windows fire after the last event, as in `windrow replay`. In production they wait for a later \
     event.",
);

/// The list of all tests of a file.
pub(super) struct TestList;

impl SettingValue for TestList {
    fn to_schema(&self) -> Value {
        json!({ "type": "array", "items": TEST.to_schema() })
    }
}

/// A list of texts, one for each dead letter.
struct DeadLetterReasons;

impl SettingValue for DeadLetterReasons {
    fn to_schema(&self) -> Value {
        json!({ "type": "array", "items": { "type": "string", "pattern": r"\S" }, "default": [] })
    }
}

impl<'a> ReadableValue<'a> for DeadLetterReasons {
    type Content = Vec<String>;

    fn read_value(&self, setting: &PipelineSetting<'a>, mistakes: &mut DiagnosticCollector<'_>) -> Option<Vec<String>> {
        let elements = setting.read_list(EXPECTED_REASONS, mistakes)?;
        let reasons: Vec<Option<String>> =
            elements.iter().map(|element| element.read_text(EXPECTED_REASONS, mistakes).map(str::to_owned)).collect();
        reasons.into_iter().collect()
    }

    fn default_content(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

/// Reads all tests of the file. Returns `None` if at least one has a mistake.
pub(super) fn read_tests(
    root: &mut TableReader<'_>,
    tested: &TestedPipeline<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<PipelineTest>> {
    let Some(setting) = root.find_setting(&TESTS) else { return Some(Vec::new()) };
    let DocumentValue::Array(elements) = setting.value else {
        setting.report_wrong_type("a list of tables", EXPECTED_TESTS, mistakes);
        return None;
    };
    let mut tests: Vec<Option<PipelineTest>> = Vec::new();
    let mut names: Vec<(&str, &DocumentLocation)> = Vec::new();
    for element in elements {
        let table = PipelineSetting { location: &element.location, value: &element.value, ..setting.clone() };
        let Some(mut test) = TEST.read_value(&table, mistakes) else {
            tests.push(None);
            continue;
        };
        let name = test.find_setting(&NAME);
        let name = name.and_then(|name| Some((name.read_text("a name", mistakes)?, name.location)));
        if let Some((name, location)) = name {
            if let Some((_, first)) = names.iter().find(|(known, _)| *known == name) {
                let message = format!("two tests are called `{}`", name.escape_debug());
                mistakes
                    .report(DiagnosticCode::ReservedName, location, message, "a name of its own for each test")
                    .set_related(first, "the first test of this name".to_owned());
                tests.push(None);
            }
            names.push((name, location));
        }
        tests.push(read_test(test, name.map(|(name, _)| name), tested, mistakes));
    }
    tests.into_iter().collect()
}

fn read_test(
    mut test: TableReader<'_>,
    name: Option<&str>,
    tested: &TestedPipeline<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<PipelineTest> {
    let line = mistakes.find_line(test.table_setting.location);
    let steps = test.find_setting(&EVENTS).and_then(|setting| read_test_events(&setting, tested, mistakes));
    let rows = test.find_setting(&ROWS);
    let rows = rows.map_or(Some(Vec::new()), |setting| read_expected_rows(&setting, tested, mistakes));
    let allows_other_rows = test.read_setting(&OTHER_ROWS, mistakes);
    let late = test.find_setting(&LATE);
    let late = late.map_or(Some(Vec::new()), |setting| read_expected_late_events(&setting, tested, mistakes));
    let dead_letters = test.read_setting(&DEAD_LETTERS, mistakes);
    let ends_input = test.read_setting(&END_OF_INPUT, mistakes);
    test.report_unknown_and_missing_fields(mistakes);
    Some(PipelineTest {
        name: name?.to_owned(),
        line,
        steps: steps?,
        ends_input: ends_input?,
        expected_rows: rows?,
        allows_other_rows: allows_other_rows?,
        expected_late_events: late?,
        expected_dead_letters: dead_letters?,
    })
}
