//! Settings that may be secret: text with references to environment variables, or `{ file = "…" }`.
//!
//! Owns: the notation of references, and the report of secrets that are missing. Invariant: no mistake contains a secret.

use std::ops::Range;

use serde_json::{Value, json};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition, SettingValue};
use crate::read::setting::PipelineSetting;
use crate::read::text::{TextDefinition, TextPattern};
use crate::secrets::SecretSource;

const REFERENCE_START: &str = "${";
/// A regular expression for a reference to an environment variable.
const REFERENCE_PATTERN: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}";
const EXPECTED_SECRET_FILE: &str = "text, or a file: `{ file = \"/run/secrets/redis\" }`";

/// A setting whose value may be secret. `pattern` is the form of a text without references.
pub(crate) struct SecretDefinition {
    pub(crate) pattern: TextPattern,
}

static SECRET_FILE: &SectionDefinition =
    &SectionDefinition { expected: EXPECTED_SECRET_FILE, alternatives: &[], settings: &[&FILE] };
static FILE: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "file",
    "file = \"/run/secrets/redis\"",
    TextDefinition::NOT_BLANK,
    "The path of a file that holds the value. A line break at its end does not belong to the value.",
);

impl SettingValue for SecretDefinition {
    fn to_schema(&self) -> Value {
        let mut text = self.pattern.to_schema();
        text["type"] = json!("string");
        let pattern = text["pattern"].as_str().map(|pattern| format!("(?:{pattern})|(?:{REFERENCE_PATTERN})"));
        if let Some(pattern) = pattern {
            text["pattern"] = json!(pattern);
        }
        json!({ "oneOf": [text, SECRET_FILE.to_schema()] })
    }

    fn describe_values(&self) -> String {
        "`${NAME}` in the text stands for an environment variable; `{ file = \"…\" }` reads the value from a file."
            .to_owned()
    }
}

/// The value of a setting that may be secret.
pub(super) struct SecretText {
    /// The value, with the secrets in place of the references.
    pub(super) value: String,
    /// The value as the pipeline file contains it, without references. It is empty if the value comes from a file.
    pub(super) part_in_pipeline_file: String,
}

/// Reads a setting that may be secret. `expected` is the end of a sentence that begins with "expected". Reports each
/// reference whose secret is missing.
pub(super) fn read_secret(
    setting: &PipelineSetting<'_>,
    expected: &str,
    secrets: &dyn SecretSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<SecretText> {
    if matches!(setting.value, DocumentValue::Table(_)) {
        return read_secret_file(setting, secrets, mistakes);
    }
    let text = setting.read_text(expected, mistakes)?;
    let pieces = match split_into_pieces(text) {
        Ok(pieces) => pieces,
        Err(range) => {
            let location = mistakes.locate_part_of_value(setting.location, text, range);
            let message = "this is not a reference to an environment variable";
            mistakes
                .report(DiagnosticCode::BadValue, &location, message, "`${NAME}` with letters, digits and `_`")
                .set_hint("write a literal `${` as `$${`".to_owned());
            return None;
        }
    };
    let mut secret = SecretText { value: String::new(), part_in_pipeline_file: String::new() };
    let mut is_complete = true;
    for piece in pieces {
        match piece {
            SecretPiece::Literal(literal) => {
                secret.value.push_str(literal);
                secret.part_in_pipeline_file.push_str(literal);
            }
            SecretPiece::Variable { name, range } => match secrets.read_variable(name).and_then(require_content) {
                Ok(content) => secret.value.push_str(&content),
                Err(problem) => {
                    let location = mistakes.locate_part_of_value(setting.location, text, range);
                    let message = format!("the environment variable `{name}` {problem}");
                    mistakes.report(DiagnosticCode::MissingSecret, &location, message, "a variable with a value");
                    is_complete = false;
                }
            },
        }
    }
    is_complete.then_some(secret)
}

fn read_secret_file(
    setting: &PipelineSetting<'_>,
    secrets: &dyn SecretSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<SecretText> {
    let mut table = SECRET_FILE.read_value(setting, mistakes)?;
    let file = table.find_setting(&FILE);
    // A misspelt name may stand for the secret itself.
    for entry in table.unknown_entries() {
        mistakes.protect_secret(&entry.node.location);
    }
    table.report_unknown_and_missing_fields(mistakes);
    let file = file?;
    let path = file.read_text("the path of a file", mistakes)?;
    match secrets.read_file(path) {
        Ok(content) => match require_content(strip_line_break(&content).to_owned()) {
            Ok(value) => Some(SecretText { value, part_in_pipeline_file: String::new() }),
            Err(problem) => report_unreadable_file(&file, path, &problem, mistakes),
        },
        Err(problem) => report_unreadable_file(&file, path, &problem, mistakes),
    }
}

fn report_unreadable_file(
    file: &PipelineSetting<'_>,
    path: &str,
    problem: &str,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<SecretText> {
    let message = format!("the file `{}` {problem}", path.escape_debug());
    mistakes.report(DiagnosticCode::MissingSecret, file.location, message, "a file with the value");
    None
}

fn require_content(content: String) -> Result<String, String> {
    if content.trim().is_empty() { Err("is empty".to_owned()) } else { Ok(content) }
}

fn strip_line_break(content: &str) -> &str {
    let content = content.strip_suffix('\n').unwrap_or(content);
    content.strip_suffix('\r').unwrap_or(content)
}

/// A part of a text that may refer to environment variables.
enum SecretPiece<'t> {
    Literal(&'t str),
    Variable {
        name: &'t str,
        /// The location of the reference in the text, in bytes.
        range: Range<usize>,
    },
}

/// Splits `text` into literals and references. `$${` stands for a literal `${`. Returns the location of a reference that
/// is not valid as the error.
fn split_into_pieces(text: &str) -> Result<Vec<SecretPiece<'_>>, Range<usize>> {
    let mut pieces = Vec::new();
    let mut rest_start = 0;
    let mut search_start = 0;
    while let Some(start) = text[search_start..].find(REFERENCE_START).map(|index| search_start + index) {
        let name_start = start + REFERENCE_START.len();
        if start > rest_start && text[..start].ends_with('$') {
            pieces.push(SecretPiece::Literal(&text[rest_start..start - 1]));
            // The literal `${` begins the rest.
            rest_start = start;
            search_start = name_start;
            continue;
        }
        let end = text[name_start..].find('}').map(|length| name_start + length).ok_or(start..text.len())?;
        let name = &text[name_start..end];
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(start..end + 1);
        }
        pieces.push(SecretPiece::Literal(&text[rest_start..start]));
        pieces.push(SecretPiece::Variable { name, range: start..end + 1 });
        rest_start = end + 1;
        search_start = rest_start;
    }
    pieces.push(SecretPiece::Literal(&text[rest_start..]));
    Ok(pieces)
}
