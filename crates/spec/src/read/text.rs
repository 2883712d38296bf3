//! The kinds of text in the pipeline file, as regular expressions for the JSON Schema.
//!
//! Owns: the rules that a regular expression can check. Where a rule consists of data, such as the schemes of a URL,
//! the readers use the same data.

use serde_json::{Value, json};

use crate::read::section::SettingValue;

/// The characters that the names of event fields and features cannot contain.
const CONTROL_CHARACTERS: &str = r"\x00-\x1f\x7f-\x9f";

/// A setting whose value is text. Its section reads it.
pub(crate) struct TextDefinition {
    pub(crate) pattern: TextPattern,
    pub(crate) max_bytes: Option<usize>,
    pub(crate) default: Option<&'static str>,
}

impl TextDefinition {
    pub(crate) const NOT_BLANK: Self = Self::with_pattern(TextPattern::NotBlank);

    pub(crate) const fn with_pattern(pattern: TextPattern) -> Self {
        Self { pattern, max_bytes: None, default: None }
    }
}

impl SettingValue for TextDefinition {
    fn to_schema(&self) -> Value {
        let mut schema = self.pattern.to_schema();
        schema["type"] = json!("string");
        if let Some(max_bytes) = self.max_bytes {
            // JSON Schema counts characters, of which a text never has more than bytes.
            schema["maxLength"] = json!(max_bytes);
        }
        if let Some(default) = self.default {
            schema["default"] = json!(default);
        }
        schema
    }
}

/// The form of a text.
pub(crate) enum TextPattern {
    /// Any text with at least one character that is not white space.
    NotBlank,
    /// ASCII letters, digits and some punctuation.
    Name(NameRule),
    /// A name of an event field or feature. The names that rows use for other data are reserved.
    FieldName { reserved: &'static [&'static str], forbidden_characters: &'static str },
    /// A URL with one of the `schemes`. `rest` is a regular expression for the text after the scheme.
    Url { schemes: &'static [&'static str], rest: &'static str },
    /// Another form, as a regular expression.
    Regex(&'static str),
}

impl TextPattern {
    pub(crate) fn to_schema(&self) -> Value {
        match self {
            Self::NotBlank => json!({ "pattern": r"\S" }),
            Self::Name(rule) => rule.to_schema(),
            Self::FieldName { reserved, forbidden_characters } => {
                let mut schema = json!({ "pattern": format!("^[^{forbidden_characters}{CONTROL_CHARACTERS}]+$") });
                if !reserved.is_empty() {
                    schema["not"] = json!({ "enum": reserved });
                }
                schema
            }
            Self::Url { schemes, rest } => json!({ "pattern": format!("^(?:{}){rest}", schemes.join("|")) }),
            Self::Regex(pattern) => json!({ "pattern": pattern }),
        }
    }
}

/// The rule for names that consist of ASCII letters, digits and `punctuation`.
#[derive(Clone, Copy)]
pub(crate) struct NameRule {
    pub(crate) max_length: usize,
    /// Further characters. A `-` is the last of them, because the pattern has them in brackets.
    pub(crate) punctuation: &'static str,
    pub(crate) forbidden_names: &'static [&'static str],
}

impl NameRule {
    pub(crate) fn accepts(&self, name: &str) -> bool {
        let legal = |c: char| c.is_ascii_alphanumeric() || self.punctuation.contains(c);
        !name.is_empty()
            && name.len() <= self.max_length
            && name.chars().all(legal)
            && !self.forbidden_names.contains(&name)
    }

    fn to_schema(self) -> Value {
        let mut schema = json!({ "pattern": format!("^[A-Za-z0-9{}]{{1,{}}}$", self.punctuation, self.max_length) });
        if !self.forbidden_names.is_empty() {
            schema["not"] = json!({ "enum": self.forbidden_names });
        }
        schema
    }
}
