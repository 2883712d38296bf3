//! What things may be called.
//!
//! Owns: the rules for names that end up in paths, metrics and Kafka. Source of the topic rule: Kafka's own check of
//! topic names (249 characters of `[a-zA-Z0-9._-]`, neither `.` nor `..`).

use super::fields::Setting;
use crate::diagnostics::{At, Code, Mistakes};

const LONGEST_NAME: usize = 100;
const LONGEST_TOPIC: usize = 249;

/// A name that stands beside the features in a row of JSON.
const ROW_FIELDS: [&str; 5] = ["feature_view", "window_start", "window_end", "late", "event_time"];

/// The pipeline's name.
pub(crate) fn pipeline(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    let name = setting.text("a name such as \"ecommerce\"", mistakes)?;
    safe("the pipeline", name, setting.at, mistakes).then(|| name.to_owned())
}

/// Whether `name` is safe in a path and in a metric.
pub(crate) fn safe(what: &str, name: &str, at: &At, mistakes: &mut Mistakes<'_>) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let fine = !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(legal);
    if !fine {
        let message = format!("{what} cannot be called `{}`", shown(name));
        let expected = format!("1 to {LONGEST_NAME} ASCII letters, digits, `_` or `-`");
        mistakes.add(Code::BadName, at, message, expected);
    }
    fine
}

/// A Kafka topic.
pub(crate) fn topic(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    let name = setting.text("the name of a Kafka topic", mistakes)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() <= LONGEST_TOPIC && name.chars().all(legal) && name != "." && name != ".." {
        return Some(name.to_owned());
    }
    let expected = format!("1 to {LONGEST_TOPIC} ASCII letters, digits, `.`, `_` or `-`");
    mistakes.add(Code::BadName, setting.at, format!("Kafka allows no topic called `{}`", shown(name)), expected);
    None
}

/// Whether `name` can be the name of an event field or a feature.
pub(crate) fn field(what: &str, name: &str, at: &At, mistakes: &mut Mistakes<'_>) -> bool {
    let fine = !name.is_empty() && !name.chars().any(char::is_control);
    if !fine {
        let message = format!("{what} cannot be called `{}`", shown(name));
        mistakes.add(Code::BadName, at, message, "a name of at least one character, none of them a control character");
    }
    fine
}

/// Whether `name` is free to stand in a row; `key` is the entity key's name, where it is another one.
pub(crate) fn free_in_row(what: &str, name: &str, key: Option<&str>, at: &At, mistakes: &mut Mistakes<'_>) -> bool {
    let meaning = if key == Some(name) {
        "the entity key"
    } else if ROW_FIELDS.contains(&name) {
        "something about the row itself"
    } else {
        return true;
    };
    let message = format!("{what} cannot be called `{name}`: in a row that is {meaning}");
    mistakes.add(Code::ReservedName, at, message, "another name");
    false
}

/// A name as it can stand in a message.
fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(LONGEST_NAME).collect::<String>().escape_debug().to_string();
    if name.chars().count() > LONGEST_NAME {
        shown.push('…');
    }
    shown
}
