//! A value of the pipeline file with its path, and the checks of its type.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::document::{DocumentNode, DocumentTable, DocumentValue};

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

    /// Returns the value if it is text without references to environment variables. Otherwise reports a mistake.
    pub(crate) fn read_text_without_references(
        &self,
        expected: &str,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<&'a str> {
        let text = self.read_text(expected, mistakes)?;
        if !text.contains("${") {
            return Some(text);
        }
        let message = format!("`{}` takes no reference such as `${{NAME}}`", self.path);
        mistakes
            .report(DiagnosticCode::BadValue, self.location, message, expected)
            .set_hint(format!("only [sink.redis] takes references; for one run, write --set {}=VALUE", self.path));
        None
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

    /// Returns the value if it is a table. Otherwise reports a mistake.
    pub(crate) fn read_table(
        &self,
        expected: &str,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<&'a DocumentTable> {
        match self.value {
            DocumentValue::Table(table) => Some(table),
            _ => {
                self.report_wrong_type("a table", expected, mistakes);
                None
            }
        }
    }

    /// Returns the elements of the value if it is a list. Otherwise reports a mistake.
    pub(crate) fn read_list(
        &self,
        expected: &str,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<Vec<PipelineSetting<'a>>> {
        let DocumentValue::Array(elements) = self.value else {
            self.report_wrong_type("a list", expected, mistakes);
            return None;
        };
        let element = |(index, node): (usize, &'a DocumentNode)| PipelineSetting {
            path: format!("{}[{index}]", self.path),
            location: &node.location,
            value: &node.value,
        };
        Some(elements.iter().enumerate().map(element).collect())
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

/// Returns `path.name`, with quotes around the name if TOML requires them.
pub(crate) fn join_path(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
