//! Reads the fields of a TOML table by name, and reports missing and unknown fields.
//!
//! Owns: reporting fields that are missing, unknown or of a wrong type. Does not own: the meaning of values.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::document::{DocumentNode, DocumentTable, DocumentValue};
use crate::suggestion::{find_closest_name, join_names_with_or};

/// The error of a reader that has found and reported a mistake, so that the caller need not report anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MistakeAlreadyReported;

/// A value in the pipeline file, with its path and its location.
#[derive(Clone, Debug)]
pub(crate) struct PipelineSetting<'a> {
    /// The path of the value: the names of its tables, from the root of the file, and its own name, joined by dots.
    pub(crate) path: String,
    pub(crate) location: &'a DocumentLocation,
    pub(crate) value: &'a DocumentValue,
}

impl<'a> PipelineSetting<'a> {
    pub(crate) fn root_setting(document: &'a DocumentNode) -> Self {
        Self { path: String::new(), location: &document.location, value: &document.value }
    }

    pub(crate) fn child_setting(&self, name: &str, node: &'a DocumentNode) -> Self {
        Self { path: join_path(&self.path, name), location: &node.location, value: &node.value }
    }

    /// Returns the value if it is text and not blank. Otherwise reports a mistake. `expected` is the end of a sentence
    /// that begins with "expected".
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

    /// Returns the value if it is an integer. Otherwise reports a mistake.
    pub(crate) fn read_integer(&self, expected: &str, mistakes: &mut DiagnosticCollector<'_>) -> Option<i64> {
        match self.value {
            DocumentValue::Integer(integer) => Some(*integer),
            _ => {
                self.report_wrong_type("an integer", expected, mistakes);
                None
            }
        }
    }

    /// Returns a reader for the value if it is a table. Otherwise reports a mistake.
    pub(crate) fn read_table(&self, expected: &str, mistakes: &mut DiagnosticCollector<'_>) -> Option<TableReader<'a>> {
        match self.value {
            DocumentValue::Table(table) => Some(TableReader {
                table_setting: self.clone(),
                table,
                requested_fields: Vec::new(),
                missing_required_fields: Vec::new(),
            }),
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
        let message = format!("`{}` must be {wanted}, not {}", self.path, self.value.describe_type());
        let scalar =
            matches!(self.value, DocumentValue::Integer(_) | DocumentValue::Float(_) | DocumentValue::Boolean(_));
        let quote = wanted == "text" && scalar && matches!(self.location, DocumentLocation::Override(_));
        mistakes
            .report(DiagnosticCode::WrongType, self.location, message, expected)
            .set_hint(quote.then(|| format!("put the value in quotes: --set '{}=\"…\"'", self.path)));
    }
}

/// A table of the pipeline file. Callers request its fields by name. Fields that no caller has requested are unknown:
/// [`TableReader::report_unknown_and_missing_fields`] reports them.
#[derive(Debug)]
pub(crate) struct TableReader<'a> {
    pub(crate) table_setting: PipelineSetting<'a>,
    pub(crate) table: &'a DocumentTable,
    requested_fields: Vec<&'static str>,
    missing_required_fields: Vec<(&'static str, &'static str)>,
}

impl<'a> TableReader<'a> {
    /// Returns a required field. If the field does not exist, records the field as missing. The message about a missing
    /// field shows `example`, a valid line or header.
    pub(crate) fn required_setting(
        &mut self,
        name: &'static str,
        example: &'static str,
    ) -> Option<PipelineSetting<'a>> {
        let setting = self.optional_setting(name);
        if setting.is_none() {
            self.missing_required_fields.push((name, example));
        }
        setting
    }

    pub(crate) fn optional_setting(&mut self, name: &'static str) -> Option<PipelineSetting<'a>> {
        self.requested_fields.push(name);
        self.table.get(name).map(|entry| self.table_setting.child_setting(name, &entry.node))
    }

    /// Returns a required table inside this table, such as `kafka` inside `source`. The message about a missing table
    /// shows `example`, a valid header.
    pub(crate) fn required_table(
        &mut self,
        name: &'static str,
        example: &'static str,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<TableReader<'a>> {
        self.required_setting(name, example)?.read_table(&format!("a table: `{example}`"), mistakes)
    }

    /// Reports the required fields that are missing, and the fields that no caller has requested.
    pub(crate) fn report_unknown_and_missing_fields(mut self, mistakes: &mut DiagnosticCollector<'_>) {
        for entry in self.table.entries.iter().filter(|entry| !self.requested_fields.contains(&entry.name.as_str())) {
            let suggestion = find_closest_name(&entry.name, self.requested_fields.iter().copied());
            // A misspelt required field is reported as unknown, and not also as missing.
            self.missing_required_fields.retain(|(name, _)| Some(*name) != suggestion);
            let message = format!("unknown field `{}` {}", entry.name, self.describe_table_position());
            mistakes
                .report(
                    DiagnosticCode::UnknownField,
                    &entry.name_location,
                    message,
                    join_names_with_or(self.requested_fields.iter().copied()),
                )
                .set_hint(suggestion.map(|name| format!("did you mean `{name}`?")));
        }
        for (name, example) in &self.missing_required_fields {
            let message = format!("`{name}` is missing {}", self.describe_table_position());
            mistakes.report(DiagnosticCode::MissingField, self.table_setting.location, message, format!("`{example}`"));
        }
    }

    /// Returns the position of the table in the file as text for messages: `in [source.kafka]`.
    fn describe_table_position(&self) -> String {
        if self.table_setting.path.is_empty() {
            "in the pipeline file".to_owned()
        } else {
            format!("in [{}]", self.table_setting.path)
        }
    }
}

/// Returns `path.name`, with quotes around the name if TOML requires them.
pub(crate) fn join_path(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
