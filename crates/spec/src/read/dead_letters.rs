//! `[dead_letters]`: where records go that are not events. Optional; with it, exactly one place.

use super::{PipelineSetting, TableReader, name};
use crate::{
    DeadLetterSpec,
    diagnostics::{Code, DiagnosticCollector},
};

/// `Some(None)`: not configured. `None`: configured by mistake.
pub(super) fn read_dead_letters(
    root: &mut TableReader<'_>,
    source_topic: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Option<DeadLetterSpec>> {
    const EXPECTED: &str = "`topic = \"…\"` or `file = \"…\"`";
    let Some(setting) = root.optional("dead_letters") else { return Some(None) };
    let mut table = setting.read_table("a table: `[dead_letters]`", mistakes)?;
    let place = match (table.optional("topic"), table.optional("file")) {
        (Some(topic), None) => read_topic(&topic, source_topic, mistakes),
        (None, Some(file)) => file.read_text("a path", mistakes).map(|path| DeadLetterSpec::File(path.into())),
        (Some(topic), Some(file)) => {
            mistakes
                .report(Code::ConflictingFields, file.location, "dead letters go to one place, these are two", EXPECTED)
                .set_related(topic.location, "the other one".to_owned());
            None
        }
        (None, None) => {
            mistakes.report(Code::MissingField, setting.location, "`[dead_letters]` does not say where to", EXPECTED);
            None
        }
    };
    table.report_unknown_and_missing(mistakes);
    place.map(Some)
}

fn read_topic(
    setting: &PipelineSetting<'_>,
    source_topic: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<DeadLetterSpec> {
    let topic = name::read_topic_name(setting, mistakes)?;
    if source_topic == Some(topic.as_str()) {
        mistakes
            .report(
                Code::BadValue,
                setting.location,
                "dead letters would go back into the source's topic",
                "another topic",
            )
            .set_hint(format!("for example \"{topic}.dead-letters\""));
        return None;
    }
    Some(DeadLetterSpec::Topic(topic))
}
