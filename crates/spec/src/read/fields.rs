//! Tables read field by field: what is required, what is optional, and what is neither.
//!
//! Owns: the mistakes every table can have (missing, unknown, wrongly typed fields). Does not own: what a value means.

use super::suggestion::{closest_name, list_names};
use crate::{
    diagnostics::{Code, DiagnosticCollector, DocumentLocation},
    document::{DocumentNode, DocumentTable, DocumentValue},
};

/// A value with the path that people know it by.
#[derive(Clone, Debug)]
pub(crate) struct PipelineSetting<'a> {
    /// Names from the root, joined by dots.
    pub(crate) path: String,
    pub(crate) location: &'a DocumentLocation,
    pub(crate) value: &'a DocumentValue,
}

impl<'a> PipelineSetting<'a> {
    pub(crate) fn root(document: &'a DocumentNode) -> Self {
        Self { path: String::new(), location: &document.location, value: &document.value }
    }

    pub(crate) fn child(&self, name: &str, node: &'a DocumentNode) -> Self {
        Self { path: join_path(&self.path, name), location: &node.location, value: &node.value }
    }

    /// Its text, which must not be blank; `expected` reads on after "expected".
    pub(crate) fn read_text(&self, expected: &str, mistakes: &mut DiagnosticCollector<'_>) -> Option<&'a str> {
        match self.value {
            DocumentValue::Text(text) if text.trim().is_empty() => {
                mistakes.report(Code::EmptyText, self.location, format!("`{}` is empty", self.path), expected);
                None
            }
            DocumentValue::Text(text) => Some(text),
            _ => {
                self.report_wrong_type("text", expected, mistakes);
                None
            }
        }
    }

    /// Its integer.
    pub(crate) fn read_integer(&self, expected: &str, mistakes: &mut DiagnosticCollector<'_>) -> Option<i64> {
        match self.value {
            DocumentValue::Integer(integer) => Some(*integer),
            _ => {
                self.report_wrong_type("an integer", expected, mistakes);
                None
            }
        }
    }

    /// Its fields.
    pub(crate) fn read_table(&self, expected: &str, mistakes: &mut DiagnosticCollector<'_>) -> Option<TableReader<'a>> {
        match self.value {
            DocumentValue::Table(table) => {
                Some(TableReader { setting: self.clone(), table, known_fields: Vec::new(), missing_fields: Vec::new() })
            }
            _ => {
                self.report_wrong_type("a table", expected, mistakes);
                None
            }
        }
    }

    pub(crate) fn report_wrong_type(&self, wanted: &str, expected: &str, mistakes: &mut DiagnosticCollector<'_>) {
        if matches!(self.value, DocumentValue::Invalid) {
            return;
        }
        let message = format!("`{}` must be {wanted}, not {}", self.path, self.value.type_name());
        let scalar =
            matches!(self.value, DocumentValue::Integer(_) | DocumentValue::Float(_) | DocumentValue::Boolean(_));
        let quote = wanted == "text" && scalar && matches!(self.location, DocumentLocation::Override(_));
        mistakes
            .report(Code::WrongType, self.location, message, expected)
            .set_hint(quote.then(|| format!("quote it: --set '{}=\"…\"'", self.path)));
    }
}

/// A table of which every field is asked for by name; [`TableReader::report_unknown_and_missing`] tells of the others.
#[derive(Debug)]
pub(crate) struct TableReader<'a> {
    pub(crate) setting: PipelineSetting<'a>,
    pub(crate) table: &'a DocumentTable,
    known_fields: Vec<&'static str>,
    missing_fields: Vec<(&'static str, &'static str)>,
}

impl<'a> TableReader<'a> {
    /// A field that has to be there; `example` is a line (or header) that would do.
    pub(crate) fn required(&mut self, name: &'static str, example: &'static str) -> Option<PipelineSetting<'a>> {
        let setting = self.optional(name);
        if setting.is_none() {
            self.missing_fields.push((name, example));
        }
        setting
    }

    pub(crate) fn optional(&mut self, name: &'static str) -> Option<PipelineSetting<'a>> {
        self.known_fields.push(name);
        self.table.get(name).map(|entry| self.setting.child(name, &entry.node))
    }

    /// A table inside a table (`source.kafka`) that has to be there; `example` is its header.
    pub(crate) fn required_table(
        &mut self,
        name: &'static str,
        example: &'static str,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<TableReader<'a>> {
        self.required(name, example)?.read_table(&format!("a table: `{example}`"), mistakes)
    }

    /// Notes what is missing, and every field that nobody asked for.
    pub(crate) fn report_unknown_and_missing(mut self, mistakes: &mut DiagnosticCollector<'_>) {
        for entry in self.table.entries.iter().filter(|entry| !self.known_fields.contains(&entry.name.as_str())) {
            let suggestion = closest_name(&entry.name, self.known_fields.iter().copied());
            // A misspelt field is one mistake, not also a missing one.
            self.missing_fields.retain(|(name, _)| Some(*name) != suggestion);
            let message = format!("there is no `{}` {}", entry.name, self.describe_table());
            mistakes
                .report(
                    Code::UnknownField,
                    &entry.name_location,
                    message,
                    list_names(self.known_fields.iter().copied()),
                )
                .set_hint(suggestion.map(|name| format!("did you mean `{name}`?")));
        }
        for (name, example) in &self.missing_fields {
            let message = format!("`{name}` is missing {}", self.describe_table());
            mistakes.report(Code::MissingField, self.setting.location, message, format!("`{example}`"));
        }
    }

    /// Where this table is, in words.
    fn describe_table(&self) -> String {
        if self.setting.path.is_empty() {
            "in the pipeline file".to_owned()
        } else {
            format!("in [{}]", self.setting.path)
        }
    }
}

/// A path one name longer; names that TOML would quote are quoted.
pub(crate) fn join_path(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
