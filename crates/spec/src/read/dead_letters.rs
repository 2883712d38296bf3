//! `[dead_letters]`: where records go that are not events. Optional; with it, exactly one place.

use super::{Fields, Setting, name};
use crate::{
    DeadLetters,
    diagnostics::{Code, Mistakes},
};

/// `Some(None)`: not configured. `None`: configured by mistake.
pub(super) fn read(
    root: &mut Fields<'_>,
    source_topic: Option<&str>,
    mistakes: &mut Mistakes<'_>,
) -> Option<Option<DeadLetters>> {
    const EXPECTED: &str = "`topic = \"…\"` or `file = \"…\"`";
    let Some(setting) = root.optional("dead_letters") else { return Some(None) };
    let mut table = setting.table("a table: `[dead_letters]`", mistakes)?;
    let place = match (table.optional("topic"), table.optional("file")) {
        (Some(topic), None) => topic_of(&topic, source_topic, mistakes),
        (None, Some(file)) => file.text("a path", mistakes).map(|path| DeadLetters::File(path.into())),
        (Some(topic), Some(file)) => {
            mistakes
                .add(Code::ConflictingFields, file.at, "dead letters go to one place, these are two", EXPECTED)
                .related(topic.at, "the other one".to_owned());
            None
        }
        (None, None) => {
            mistakes.add(Code::MissingField, setting.at, "`[dead_letters]` does not say where to", EXPECTED);
            None
        }
    };
    table.finish(mistakes);
    place.map(Some)
}

fn topic_of(setting: &Setting<'_>, source_topic: Option<&str>, mistakes: &mut Mistakes<'_>) -> Option<DeadLetters> {
    let topic = name::topic(setting, mistakes)?;
    if source_topic == Some(topic.as_str()) {
        mistakes
            .add(Code::BadValue, setting.at, "dead letters would go back into the source's topic", "another topic")
            .hint(format!("for example \"{topic}.dead-letters\""));
        return None;
    }
    Some(DeadLetters::Topic(topic))
}
