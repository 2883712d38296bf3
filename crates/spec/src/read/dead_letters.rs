//! `[dead_letters]`: the destination of dead letters. The section is optional. If it exists, it must name exactly one
//! destination.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::DeadLetterSpec;
use crate::read::name::read_topic_name;
use crate::read::table_reader::{MistakeAlreadyReported, PipelineSetting, TableReader};

/// Reads the destination of dead letters. Returns `Ok(None)` if the file has no section `[dead_letters]`.
pub(super) fn read_dead_letters(
    root: &mut TableReader<'_>,
    source_topic: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Result<Option<DeadLetterSpec>, MistakeAlreadyReported> {
    const EXPECTED_DESTINATION: &str = "`topic = \"…\"` or `file = \"…\"`";
    let Some(setting) = root.optional_setting("dead_letters") else { return Ok(None) };
    let table = setting.read_table("a table: `[dead_letters]`", mistakes);
    let mut table = table.ok_or(MistakeAlreadyReported)?;
    let destination = match (table.optional_setting("topic"), table.optional_setting("file")) {
        (Some(topic), None) => read_topic(&topic, source_topic, mistakes),
        (None, Some(file)) => file.read_text("a path", mistakes).map(|path| DeadLetterSpec::File(path.into())),
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
