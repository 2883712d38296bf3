//! The pipeline file as a tree of values with their locations. The `--set` overrides change the tree before its
//! validation.
//!
//! Owns: TOML syntax (through the `toml` crate) and its mistakes. Does not own: the meaning of values.

use toml::de::{DeTable, DeValue};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;

/// A value with its location in the pipeline file. The location of a table is the header of the table.
#[derive(Clone, Debug)]
pub(crate) struct DocumentNode {
    pub(crate) location: DocumentLocation,
    pub(crate) value: DocumentValue,
}

/// A TOML value. The TOML types that no setting of a pipeline has, such as dates, share the variant `Other`.
#[derive(Clone, Debug)]
pub(crate) enum DocumentValue {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<DocumentNode>),
    Table(DocumentTable),
    /// A value of a type that no setting of a pipeline has. The text names the type: `a date or time`.
    Other(&'static str),
    /// An unreadable value, which has been reported as a mistake already.
    Invalid,
}

impl DocumentValue {
    /// Returns the name of the type with its article, for messages: `an integer`.
    pub(crate) fn describe_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
            Self::Invalid => "broken",
        }
    }
}

/// Named values, in the order of the file.
#[derive(Clone, Default, Debug)]
pub(crate) struct DocumentTable {
    pub(crate) entries: Vec<TableEntry>,
}

#[derive(Clone, Debug)]
pub(crate) struct TableEntry {
    pub(crate) name: String,
    pub(crate) name_location: DocumentLocation,
    pub(crate) node: DocumentNode,
}

impl DocumentTable {
    pub(crate) fn get(&self, name: &str) -> Option<&TableEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// Parses `text` into a tree. Reports every part that is not TOML. The tree omits such a part, or contains a value that
/// the parser guesses.
pub(crate) fn parse(text: &str, mistakes: &mut DiagnosticCollector<'_>) -> DocumentNode {
    let (mut document, mut errors) = DeTable::parse_recoverable(text);
    // The parser stops at a name without a value, and continues after every other error. So blanks replace the lines
    // with such names, and a second run of the parser reads the remaining lines.
    let readable =
        blank_error_lines(text, errors.iter().filter(|error| error.message().starts_with("key with no value")));
    if readable != text {
        let (rest, more) = DeTable::parse_recoverable(&readable);
        document = rest;
        errors.extend(more);
    }
    for error in errors {
        report_syntax_error(&error, mistakes);
    }
    // The root table has no header, so its location is the beginning of the file.
    let at = DocumentLocation::from_file_range(0..0);
    let value = DocumentValue::Table(read_table(document.get_ref(), &LocationSource::File, mistakes));
    DocumentNode { location: at, value }
}

/// Returns `text` with blanks in place of the lines that contain `errors`. The offsets of all other lines remain the
/// same.
fn blank_error_lines<'a>(text: &str, errors: impl Iterator<Item = &'a toml::de::Error>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let length = bytes.len();
    for start in errors.filter_map(toml::de::Error::span).map(|span| span.start.min(length)) {
        let from = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let to = bytes[start..].iter().position(|byte| *byte == b'\n').map_or(length, |newline| start + newline);
        bytes[from..to].fill(b' ');
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Parses `text`, the value of an override. All nodes of the result have the location `at`. Returns `None` if `text` is
/// not exactly one TOML value.
pub(crate) fn parse_override_value(
    text: &str,
    at: &DocumentLocation,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<DocumentNode> {
    let parsed = DeValue::parse(text.trim()).ok()?;
    Some(read_node(parsed.get_ref(), parsed.span(), &LocationSource::Override(at.clone()), mistakes))
}

enum LocationSource {
    File,
    Override(DocumentLocation),
}

impl LocationSource {
    fn locate_span(&self, span: std::ops::Range<usize>) -> DocumentLocation {
        match self {
            Self::File => DocumentLocation::from_file_range(span),
            Self::Override(at) => at.clone(),
        }
    }
}

// The TOML parser rejects more than 80 nested levels, so this recursion cannot overflow the stack.
fn read_table(source: &DeTable<'_>, origin: &LocationSource, mistakes: &mut DiagnosticCollector<'_>) -> DocumentTable {
    let entries = source.iter().map(|(name, value)| TableEntry {
        name: name.get_ref().to_string(),
        name_location: origin.locate_span(name.span()),
        node: read_node(value.get_ref(), value.span(), origin, mistakes),
    });
    DocumentTable { entries: entries.collect() }
}

fn read_node(
    source: &DeValue<'_>,
    span: std::ops::Range<usize>,
    origin: &LocationSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> DocumentNode {
    let at = origin.locate_span(span);
    let value = match source {
        DeValue::String(text) => DocumentValue::Text(text.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => DocumentValue::Integer(integer),
            Err(_) => {
                mistakes.report(
                    DiagnosticCode::OutOfRange,
                    &at,
                    "this integer does not fit into 64 bits",
                    format!("at most {} and at least {}", i64::MAX, i64::MIN),
                );
                DocumentValue::Invalid
            }
        },
        DeValue::Float(float) => float.as_str().parse().map_or(DocumentValue::Invalid, DocumentValue::Float),
        DeValue::Boolean(truth) => DocumentValue::Boolean(*truth),
        DeValue::Datetime(_) => DocumentValue::Other("a date or time"),
        DeValue::Array(elements) => {
            let elements = elements.iter().map(|one| read_node(one.get_ref(), one.span(), origin, mistakes));
            DocumentValue::Array(elements.collect())
        }
        DeValue::Table(inner) => DocumentValue::Table(read_table(inner, origin, mistakes)),
    };
    DocumentNode { location: at, value }
}

fn report_syntax_error(error: &toml::de::Error, mistakes: &mut DiagnosticCollector<'_>) {
    let at = DocumentLocation::from_file_range(error.span().unwrap_or(0..0));
    let (message, expected) = error.message().rsplit_once(", expected ").unwrap_or((error.message(), ""));
    if message.starts_with("duplicate key") {
        mistakes
            .report(
                DiagnosticCode::DuplicateKey,
                &at,
                "this name occurs twice in the same table",
                "each name at most once",
            )
            .set_hint("remove one of the two lines".to_owned());
    } else if message.contains("must be quoted") {
        mistakes
            .report(DiagnosticCode::Syntax, &at, "this is not a TOML value", "a value; text must be in quotes")
            .set_hint("write text in quotes: \"…\"".to_owned());
    } else if message.starts_with("invalid unquoted key") {
        mistakes
            .report(
                DiagnosticCode::Syntax,
                &at,
                "this name needs quotes",
                "letters, digits, `_` and `-`, or a name in quotes",
            )
            .set_hint("write other names in quotes: \"이름\" = …".to_owned());
    } else {
        let expected = if expected.is_empty() { "TOML" } else { expected };
        mistakes.report(DiagnosticCode::Syntax, &at, format!("this is not TOML: {message}"), expected);
    }
}
