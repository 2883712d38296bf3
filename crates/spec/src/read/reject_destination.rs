//! `[dead_letters]` and `[late_events]`: the destinations of dead letters and of late events. The sections are optional. A
//! section names exactly one destination.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::RejectDestination;
use crate::read::name::{TOPIC_NAME_RULE, read_topic_name};
use crate::read::section::{DefinedSetting, ReadableValue, SectionDefinition, SettingDefinition};
use crate::read::setting::{MistakeAlreadyReported, PipelineSetting};
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};

/// One of the two sections.
pub(super) struct RejectSection {
    pub(super) definition: SettingDefinition<&'static SectionDefinition>,
    /// What goes to the destination.
    noun: &'static str,
    topic_suffix: &'static str,
}

pub(super) static DEAD_LETTERS: RejectSection = RejectSection {
    definition: SettingDefinition::optional(
        "dead_letters",
        &SectionDefinition { expected: "a table: `[dead_letters]`", alternatives: &[&TOPIC, &FILE], settings: &[] },
        "Where dead letters are stored: records that are not events, and rows that Redis refused. Without this section \
         they are only counted.",
    ),
    noun: "dead letters",
    topic_suffix: "dead-letters",
};
pub(super) static LATE_EVENTS: RejectSection = RejectSection {
    definition: SettingDefinition::optional(
        "late_events",
        &SectionDefinition { expected: "a table: `[late_events]`", alternatives: &[&TOPIC, &FILE], settings: &[] },
        "Where the records of late events are stored: of events that were too late for at least one feature view. \
         Without this section they are only counted.",
    ),
    noun: "late events",
    topic_suffix: "late-events",
};
static TOPIC: SettingDefinition<TextDefinition> = SettingDefinition::optional(
    "topic",
    TextDefinition::with_pattern(TextPattern::Name(TOPIC_NAME_RULE)),
    "A Kafka topic on the brokers of the source. It is not the topic that the source reads.",
);
static FILE: SettingDefinition<TextDefinition> =
    SettingDefinition::optional("file", TextDefinition::NOT_BLANK, "The path of a file to which they are appended.");

/// Reads the destination of `section`. Returns `Ok(None)` if the file has no such section.
pub(super) fn read_reject_destination(
    section: &'static RejectSection,
    root: &mut TableReader<'_>,
    source_topic: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Result<Option<RejectDestination>, MistakeAlreadyReported> {
    const EXPECTED_DESTINATION: &str = "`topic = \"…\"` or `file = \"…\"`";
    let RejectSection { definition, noun, .. } = section;
    let Some(setting) = root.find_setting(definition) else { return Ok(None) };
    let table = definition.value.read_value(&setting, mistakes);
    let mut table = table.ok_or(MistakeAlreadyReported)?;
    let destination = match (table.find_setting(&TOPIC), table.find_setting(&FILE)) {
        (Some(topic), None) => read_topic(section, &topic, source_topic, mistakes),
        (None, Some(file)) => {
            file.read_text_without_references("a path", mistakes).map(|path| RejectDestination::File(path.into()))
        }
        (Some(topic), Some(file)) => {
            mistakes
                .report(
                    DiagnosticCode::ConflictingFields,
                    file.location,
                    format!("{noun} can have only one destination"),
                    EXPECTED_DESTINATION,
                )
                .set_related(topic.location, "the other destination".to_owned());
            None
        }
        (None, None) => {
            mistakes.report(
                DiagnosticCode::MissingField,
                setting.location,
                format!("`[{}]` has no destination", definition.name()),
                EXPECTED_DESTINATION,
            );
            None
        }
    };
    table.report_unknown_and_missing_fields(mistakes);
    destination.map(Some).ok_or(MistakeAlreadyReported)
}

fn read_topic(
    section: &'static RejectSection,
    setting: &PipelineSetting<'_>,
    source_topic: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<RejectDestination> {
    let topic = read_topic_name(setting, mistakes)?;
    if source_topic == Some(topic.as_str()) {
        mistakes
            .report(
                DiagnosticCode::BadValue,
                setting.location,
                format!("{} cannot go to the topic that the source reads", section.noun),
                "another topic",
            )
            .set_hint(format!("for example \"{topic}.{}\"", section.topic_suffix));
        return None;
    }
    Some(RejectDestination::Topic(topic))
}
