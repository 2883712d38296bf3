//! Reading a table field by field: required fields, optional fields, and fields that the table does not have.
//!
//! Owns: the mistakes that every table can have (missing, unknown, wrongly typed fields). Does not own: what a value means.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::document::{DocumentNode, DocumentTable, DocumentValue};
use crate::suggestion::{closest_name, list_names};

/// A part of the file has a mistake, which has been reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlreadyReported;

/// A value with its path in the file.
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

    /// Reads the value as text that is not blank. `expected` completes a sentence after "expected".
    pub(crate) fn read_text(&self, expected: &str, mistakes: &mut DiagnosticCollector<'_>) -> Option<&'a str> {
        match self.value {
            DocumentValue::Text(text) if text.trim().is_empty() => {
                mistakes.report(
                    DiagnosticCode::EmptyText,
                    self.location,
                    format!("`{}` is empty", self.path),
                    expected,
                );
                None
            }
            DocumentValue::Text(text) => Some(text),
            _ => {
                self.report_wrong_type("text", expected, mistakes);
                None
            }
        }
    }

    /// Reads the value as an integer.
    pub(crate) fn read_integer(&self, expected: &str, mistakes: &mut DiagnosticCollector<'_>) -> Option<i64> {
        match self.value {
            DocumentValue::Integer(integer) => Some(*integer),
            _ => {
                self.report_wrong_type("an integer", expected, mistakes);
                None
            }
        }
    }

    /// Reads the value as a table.
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
            .report(DiagnosticCode::WrongType, self.location, message, expected)
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
    /// Returns a field that must exist. `example` is a valid line or header for it.
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

    /// Returns a table inside this table (`source.kafka`) that must exist. `example` is its header.
    pub(crate) fn required_table(
        &mut self,
        name: &'static str,
        example: &'static str,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<TableReader<'a>> {
        self.required(name, example)?.read_table(&format!("a table: `{example}`"), mistakes)
    }

    /// Reports missing fields, and fields that no reader asked for.
    pub(crate) fn report_unknown_and_missing(mut self, mistakes: &mut DiagnosticCollector<'_>) {
        for entry in self.table.entries.iter().filter(|entry| !self.known_fields.contains(&entry.name.as_str())) {
            let suggestion = closest_name(&entry.name, self.known_fields.iter().copied());
            // A misspelt field is one mistake, not also a missing one.
            self.missing_fields.retain(|(name, _)| Some(*name) != suggestion);
            let message = format!("there is no `{}` {}", entry.name, self.describe_table());
            mistakes
                .report(
                    DiagnosticCode::UnknownField,
                    &entry.name_location,
                    message,
                    list_names(self.known_fields.iter().copied()),
                )
                .set_hint(suggestion.map(|name| format!("did you mean `{name}`?")));
        }
        for (name, example) in &self.missing_fields {
            let message = format!("`{name}` is missing {}", self.describe_table());
            mistakes.report(DiagnosticCode::MissingField, self.setting.location, message, format!("`{example}`"));
        }
    }

    /// Describes where this table is.
    fn describe_table(&self) -> String {
        if self.setting.path.is_empty() {
            "in the pipeline file".to_owned()
        } else {
            format!("in [{}]", self.setting.path)
        }
    }
}

/// Returns `path` extended by `name`. Quotes a name where TOML requires it.
pub(crate) fn join_path(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
