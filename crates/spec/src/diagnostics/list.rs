//! The sorted list of all mistakes in a pipeline file, with lines and columns.

use std::fmt;

use super::code::DiagnosticCode;
use super::collector::DiagnosticCollector;
use super::diagnostic::Diagnostic;
use super::location::{DiagnosticPlace, DocumentLocation};
use crate::overrides::PipelineOverride;

/// All mistakes of a pipeline file. Mistakes in the file come first, sorted by position. The mistakes in `--set`
/// overrides follow.
#[derive(Clone)]
pub struct Diagnostics {
    pub(super) file_name: String,
    pub(super) file_text: String,
    /// The paths of the overrides.
    pub(super) override_paths: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn new(
        file_name: &str,
        text: &str,
        overrides: &[PipelineOverride],
        mistakes: DiagnosticCollector<'_>,
    ) -> Self {
        let override_paths: Vec<String> = overrides.iter().map(|one| one.path.clone()).collect();
        let mut diagnostics = mistakes.into_diagnostics();
        let line_of = |location: &DocumentLocation| match location {
            DocumentLocation::File(range) => Some(text[..range.start].matches('\n').count()),
            DocumentLocation::Override(_) => None,
        };
        // The TOML parser skips a broken line or guesses its value. Then fields can seem to be missing or wrong,
        // although they are right in the file. So this code removes the mistakes that may result from a broken line:
        // missing fields, undeclared fields, and other mistakes in the same line.
        let is_syntax = |one: &&Diagnostic| one.code.is_syntax();
        let broken: Vec<_> = diagnostics.iter().filter(is_syntax).map(|one| line_of(&one.location)).collect();
        if !broken.is_empty() {
            let follows = |one: &Diagnostic| {
                matches!(one.code, DiagnosticCode::MissingField | DiagnosticCode::UndeclaredField)
                    || broken.contains(&line_of(&one.location))
            };
            diagnostics.retain(|one| one.code.is_syntax() || !follows(one));
        }
        diagnostics.sort_by(|left, right| (&left.location, left.code).cmp(&(&right.location, right.code)));
        diagnostics.dedup_by(|left, right| left.location == right.location && left.message == right.message);
        for diagnostic in &mut diagnostics {
            diagnostic.place = match &diagnostic.location {
                DocumentLocation::File(range) => {
                    let before = &text[..range.start];
                    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                    DiagnosticPlace::File {
                        line: before.matches('\n').count() + 1,
                        column: before[line_start..].chars().count() + 1,
                    }
                }
                DocumentLocation::Override(index) => {
                    DiagnosticPlace::Override { path: override_paths.get(*index).cloned().unwrap_or_default() }
                }
            };
        }
        Self { file_name: file_name.to_owned(), file_text: text.to_owned(), override_paths, diagnostics }
    }

    /// Returns every mistake, sorted by place.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.diagnostics.iter()
    }

    /// Returns the number of mistakes, which is at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }
}

/// Omits the text of the file, which may contain secrets.
impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file_name, diagnostics, .. } = self;
        f.debug_struct("Diagnostics").field("file", file_name).field("mistakes", diagnostics).finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
