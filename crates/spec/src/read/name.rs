//! Reads and checks names in the pipeline file.
//!
//! Owns: the rules for the names of pipelines, views, fields, features and topics. The rule for topics is the same as
//! in Kafka: at most 249 characters of `[a-zA-Z0-9._-]`, and neither `.` nor `..`.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::read::setting::PipelineSetting;
use crate::read::text::NameRule;

const MAX_NAME_LENGTH: usize = 100;
const MAX_TOPIC_LENGTH: usize = 249;

/// The rule for names that are part of a path or metric label.
pub(super) const SAFE_NAME_RULE: NameRule =
    NameRule { max_length: MAX_NAME_LENGTH, punctuation: "_-", forbidden_names: &[] };

/// Kafka's rule for topic names.
pub(super) const TOPIC_NAME_RULE: NameRule =
    NameRule { max_length: MAX_TOPIC_LENGTH, punctuation: "._-", forbidden_names: &[".", ".."] };

/// The names that rows and late events in JSON use for other data. A feature with such a name would repeat a JSON
/// member.
pub(super) const RESERVED_ROW_FIELDS: [&str; 5] = ["feature_view", "window_start", "window_end", "late", "event_time"];

pub(crate) fn read_pipeline_name(
    setting: &PipelineSetting<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let name = setting.read_text("a name such as \"ecommerce\"", mistakes)?;
    require_safe_name("the pipeline", name, setting.location, mistakes).then(|| name.to_owned())
}

/// Returns `true` if `name` can be part of a path or metric label. Otherwise reports a mistake. `what` says in the
/// message what has this name.
pub(crate) fn require_safe_name(
    what: &str,
    name: &str,
    at: &DocumentLocation,
    mistakes: &mut DiagnosticCollector<'_>,
) -> bool {
    let fine = SAFE_NAME_RULE.accepts(name);
    if !fine {
        let message = format!("{what} cannot be called `{}`", escape_and_truncate_name(name));
        let expected = format!("1 to {MAX_NAME_LENGTH} ASCII letters, digits, `_` or `-`");
        mistakes.report(DiagnosticCode::BadName, at, message, expected);
    }
    fine
}

pub(crate) fn read_topic_name(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    let name = setting.read_text_without_references("the name of a Kafka topic", mistakes)?;
    if TOPIC_NAME_RULE.accepts(name) {
        return Some(name.to_owned());
    }
    let expected = format!("1 to {MAX_TOPIC_LENGTH} ASCII letters, digits, `.`, `_` or `-`");
    mistakes.report(
        DiagnosticCode::BadName,
        setting.location,
        format!("Kafka does not allow the topic name `{}`", escape_and_truncate_name(name)),
        expected,
    );
    None
}

/// Returns `true` if an event field or a feature may be called `name`. Otherwise reports a mistake. `what` says in the
/// message what has this name.
pub(crate) fn require_valid_field_name(
    what: &str,
    name: &str,
    at: &DocumentLocation,
    mistakes: &mut DiagnosticCollector<'_>,
) -> bool {
    let fine = !name.is_empty() && !name.chars().any(char::is_control);
    if !fine {
        let message = format!("{what} cannot be called `{}`", escape_and_truncate_name(name));
        mistakes.report(
            DiagnosticCode::BadName,
            at,
            message,
            "a name of at least one character, none of them a control character",
        );
    }
    fine
}

/// Returns `true` if no other data in a row is called `name`. Otherwise reports a mistake. `key` is the name of the
/// entity key, or `None` if `name` is the entity key itself.
pub(crate) fn require_unreserved_name(
    what: &str,
    name: &str,
    key: Option<&str>,
    at: &DocumentLocation,
    mistakes: &mut DiagnosticCollector<'_>,
) -> bool {
    let meaning = if key == Some(name) {
        "the entity key"
    } else if RESERVED_ROW_FIELDS.contains(&name) {
        "other data"
    } else {
        return true;
    };
    let message = format!("{what} cannot be called `{name}`, because rows use this name for {meaning}");
    mistakes.report(DiagnosticCode::ReservedName, at, message, "another name");
    false
}

fn escape_and_truncate_name(name: &str) -> String {
    windrow_core::text::truncate_with_ellipsis(name, MAX_NAME_LENGTH).escape_debug().to_string()
}
