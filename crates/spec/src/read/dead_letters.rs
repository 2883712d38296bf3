//! `[dead_letters]`: the destination of dead letters. The section is optional. If it exists, it must name exactly one
//! destination.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::DeadLetterSpec;
use crate::read::name::{TOPIC_NAME_RULE, read_topic_name};
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition};
use crate::read::setting::{MistakeAlreadyReported, PipelineSetting};
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};

pub(super) static DEAD_LETTERS: SettingDefinition<&SectionDefinition> = SettingDefinition::optional(
    "dead_letters",
    &SectionDefinition { expected: "a table: `[dead_letters]`", alternatives: &[&TOPIC, &FILE], settings: &[] },
    "Where dead letters are stored: records that are not events, and rows that Redis refused. Without this section \
     they are only counted.",
);
static TOPIC: SettingDefinition<TextDefinition> = SettingDefinition::optional(
    "topic",
    TextDefinition::with_pattern(TextPattern::Name(TOPIC_NAME_RULE)),
    "A Kafka topic on the brokers of the source. It is not the topic that the source reads.",
);
static FILE: SettingDefinition<TextDefinition> = SettingDefinition::optional(
    "file",
    TextDefinition::NOT_BLANK,
    "The path of a file to which dead letters are appended.",
);

/// Reads the destination of dead letters. Returns `Ok(None)` if the file has no section `[dead_letters]`.
pub(super) fn read_dead_letters(
    root: &mut TableReader<'_>,
    source_topic: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Result<Option<DeadLetterSpec>, MistakeAlreadyReported> {
    const EXPECTED_DESTINATION: &str = "`topic = \"…\"` or `file = \"…\"`";
    let Some(setting) = root.find_setting(&DEAD_LETTERS) else { return Ok(None) };
    let table = DEAD_LETTERS.value.read_value(&setting, mistakes);
    let mut table = table.ok_or(MistakeAlreadyReported)?;
    let destination = match (table.find_setting(&TOPIC), table.find_setting(&FILE)) {
        (Some(topic), None) => read_topic(&topic, source_topic, mistakes),
        (None, Some(file)) => {
            file.read_text_without_references("a path", mistakes).map(|path| DeadLetterSpec::File(path.into()))
        }
        (Some(topic), Some(file)) => {
            mistakes
                .report(
                    DiagnosticCode::ConflictingFields,
                    file.location,
                    "dead letters can have only one destination",
                    EXPECTED_DESTINATION,
                )
                .set_related(topic.location, "the other destination".to_owned());
            None
        }
        (None, None) => {
            mistakes.report(
                DiagnosticCode::MissingField,
                setting.location,
                "`[dead_letters]` has no destination",
                EXPECTED_DESTINATION,
            );
            None
        }
    };
    table.report_unknown_and_missing_fields(mistakes);
    destination.map(Some).ok_or(MistakeAlreadyReported)
}

fn read_topic(
    setting: &PipelineSetting<'_>,
    source_topic: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<DeadLetterSpec> {
    let topic = read_topic_name(setting, mistakes)?;
    if source_topic == Some(topic.as_str()) {
        mistakes
            .report(
                DiagnosticCode::BadValue,
                setting.location,
                "dead letters cannot go to the topic that the source reads",
                "another topic",
            )
            .set_hint(format!("for example \"{topic}.dead-letters\""));
        return None;
    }
    Some(DeadLetterSpec::Topic(topic))
}
