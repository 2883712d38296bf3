//! The file as a tree of values that know their place; `--set` changes it before anything is validated.
//!
//! Owns: TOML syntax (through the `toml` crate) and its mistakes. Does not own: what any value means.

use toml::de::{DeTable, DeValue};

use crate::diagnostics::{At, Code, Mistakes};

/// A value and where it stands. A table's place is its header.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Value,
}

/// What a TOML value can be, as far as pipelines use it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Table(Table),
    /// A TOML type that no field of a pipeline has: its name.
    Other(&'static str),
    /// Already reported.
    Broken,
}

impl Value {
    /// Its type, in words.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
            Self::Broken => "broken",
        }
    }
}

/// Named values, in the order of the file.
#[derive(Clone, Default, Debug)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// One name and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) name_at: At,
    pub(crate) node: Node,
}

impl Table {
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// Reads `text`; what is not TOML is noted and left out, or guessed where the parser can.
pub(crate) fn parse(text: &str, mistakes: &mut Mistakes<'_>) -> Node {
    let (mut document, mut errors) = DeTable::parse_recoverable(text);
    // The parser recovers from everything but a name without a value, where it stops: what stands after such lines is
    // read by leaving them out.
    let readable = without(text, errors.iter().filter(|error| error.message().starts_with("key with no value")));
    if readable != text {
        let (rest, more) = DeTable::parse_recoverable(&readable);
        document = rest;
        errors.extend(more);
    }
    for error in errors {
        syntax_mistake(&error, mistakes);
    }
    // The root has no header; its place is the file's first character.
    let at = At::text(0..0);
    let value = Value::Table(table(document.get_ref(), &Origin::File, mistakes));
    Node { at, value }
}

/// The text with the lines of `errors` blank; everything else stays where it is.
fn without<'a>(text: &str, errors: impl Iterator<Item = &'a toml::de::Error>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let length = bytes.len();
    for start in errors.filter_map(toml::de::Error::span).map(|span| span.start.min(length)) {
        let from = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let to = bytes[start..].iter().position(|byte| *byte == b'\n').map_or(length, |newline| start + newline);
        bytes[from..to].fill(b' ');
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Reads one value, all of it placed at `at`; `None` where `text` is not exactly one value.
pub(crate) fn parse_value(text: &str, at: &At, mistakes: &mut Mistakes<'_>) -> Option<Node> {
    let parsed = DeValue::parse(text.trim()).ok()?;
    Some(node(parsed.get_ref(), parsed.span(), &Origin::Fixed(at.clone()), mistakes))
}

enum Origin {
    File,
    Fixed(At),
}

impl Origin {
    fn at(&self, span: std::ops::Range<usize>) -> At {
        match self {
            Self::File => At::text(span),
            Self::Fixed(at) => at.clone(),
        }
    }
}

// The depth of the tree is bounded: the parser refuses more than 80 levels.
fn table(source: &DeTable<'_>, origin: &Origin, mistakes: &mut Mistakes<'_>) -> Table {
    let entries = source.iter().map(|(name, value)| Entry {
        name: name.get_ref().to_string(),
        name_at: origin.at(name.span()),
        node: node(value.get_ref(), value.span(), origin, mistakes),
    });
    Table { entries: entries.collect() }
}

fn node(source: &DeValue<'_>, span: std::ops::Range<usize>, origin: &Origin, mistakes: &mut Mistakes<'_>) -> Node {
    let at = origin.at(span);
    let value = match source {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => {
                mistakes.add(
                    Code::OutOfRange,
                    &at,
                    "this integer does not fit 64 bits",
                    format!("at most {} and at least {}", i64::MAX, i64::MIN),
                );
                Value::Broken
            }
        },
        DeValue::Float(float) => float.as_str().parse().map_or(Value::Broken, Value::Float),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(_) => Value::Other("an array"),
        DeValue::Table(inner) => Value::Table(table(inner, origin, mistakes)),
    };
    Node { at, value }
}

fn syntax_mistake(error: &toml::de::Error, mistakes: &mut Mistakes<'_>) {
    let at = At::text(error.span().unwrap_or(0..0));
    let (message, expected) = error.message().rsplit_once(", expected ").unwrap_or((error.message(), ""));
    if message.starts_with("duplicate key") {
        mistakes
            .add(Code::DuplicateKey, &at, "this name stands twice in one table", "every name once")
            .hint("keep one of the two".to_owned());
    } else if message.contains("must be quoted") {
        mistakes
            .add(Code::Syntax, &at, "this is not a TOML value", "a value, text in quotes")
            .hint("write text in quotes: \"…\"".to_owned());
    } else if message.starts_with("invalid unquoted key") {
        mistakes
            .add(Code::Syntax, &at, "this name needs quotes", "letters, digits, `_` and `-`, or a name in quotes")
            .hint("names with other characters are quoted: \"이름\" = …".to_owned());
    } else {
        let expected = if expected.is_empty() { "TOML" } else { expected };
        mistakes.add(Code::Syntax, &at, format!("this is not TOML: {message}"), expected);
    }
}
