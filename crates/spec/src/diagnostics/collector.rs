//! Collects mistakes while a pipeline file is read.

use std::ops::Range;

use super::code::DiagnosticCode;
use super::diagnostic::Diagnostic;
use super::location::{DiagnosticPlace, DocumentLocation};
use crate::login_redaction::may_contain_login;

/// The mistakes found so far.
#[derive(Debug)]
pub(crate) struct DiagnosticCollector<'a> {
    file_text: &'a str,
    /// The positions of all line breaks.
    line_breaks: Vec<usize>,
    diagnostics: Vec<Diagnostic>,
    /// The locations of values that may be secret.
    secret_locations: Vec<DocumentLocation>,
}

impl<'a> DiagnosticCollector<'a> {
    pub(crate) fn new(file_text: &'a str) -> Self {
        let line_breaks = file_text.match_indices('\n').map(|(position, _)| position).collect();
        Self { file_text, line_breaks, diagnostics: Vec::new(), secret_locations: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Makes all messages omit the lines of the value at `location`, because the value may be secret.
    pub(crate) fn protect_secret(&mut self, location: &DocumentLocation) {
        self.secret_locations.push(self.clamp_to_text(location));
    }

    /// Returns all mistakes, in the order in which they were reported. Messages omit each line that may contain a
    /// secret.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let Self { file_text, mut diagnostics, secret_locations, .. } = self;
        let protected: Vec<Range<usize>> =
            secret_locations.iter().filter_map(|location| extend_to_lines(file_text, [location])).collect();
        for diagnostic in &mut diagnostics {
            let related = diagnostic.related.as_ref().map(|related| &related.location);
            let Some(lines) = extend_to_lines(file_text, [&diagnostic.location].into_iter().chain(related)) else {
                continue;
            };
            let touches = |range: &Range<usize>| range.start < lines.end && lines.start < range.end;
            diagnostic.is_line_redacted |=
                protected.iter().any(touches) || file_text[lines].lines().any(may_contain_login);
        }
        diagnostics
    }

    /// Adds a mistake. `expected` says what would be valid. It is the end of a sentence that begins with "expected".
    pub(crate) fn report(
        &mut self,
        code: DiagnosticCode,
        location: &DocumentLocation,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic {
            code,
            message: message.into(),
            place: DiagnosticPlace::File { line: 1, column: 1 }, // a placeholder: `Diagnostics::new` computes the place
            expected: expected.into(),
            hint: None,
            location: self.clamp_to_text(location),
            related: None,
            is_line_redacted: false,
        });
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// Returns the location of a part of a text value. `value` is the text, `location` its location, and `part` a range
    /// of bytes in `value`. Returns `location` itself if the text comes from a `--set`, or if the file contains it with
    /// TOML escapes.
    pub(crate) fn locate_part_of_value(
        &self,
        location: &DocumentLocation,
        value: &str,
        part: Range<usize>,
    ) -> DocumentLocation {
        let DocumentLocation::File(range) = location else { return location.clone() };
        let written = self.file_text.get(range.start..range.end).unwrap_or_default();
        let content_start = ["\"\"\"", "'''", "\"", "'"].iter().find_map(|quote| {
            let rest = written.strip_prefix(quote)?;
            let rest = if quote.len() == 3 { rest.trim_start_matches("\r\n").trim_start_matches('\n') } else { rest };
            (rest.strip_suffix(quote)? == value).then(|| written.len() - rest.len())
        });
        match content_start {
            Some(offset) => {
                DocumentLocation::from_file_range(range.start + offset + part.start..range.start + offset + part.end)
            }
            None => location.clone(),
        }
    }

    /// Returns the line of a location in the file, counted from 1. Returns `None` for a location in a `--set`.
    pub(crate) fn find_line(&self, location: &DocumentLocation) -> Option<usize> {
        match location {
            DocumentLocation::File(range) => {
                Some(self.line_breaks.partition_point(|position| *position < range.start) + 1)
            }
            DocumentLocation::Override(_) => None,
        }
    }

    /// Returns `location` limited to the text of the file. The parsers sometimes report a range outside the text, and
    /// rendering such a range would panic.
    fn clamp_to_text(&self, location: &DocumentLocation) -> DocumentLocation {
        match location {
            DocumentLocation::File(range) => {
                let start = self.file_text.floor_char_boundary(range.start);
                DocumentLocation::from_file_range(start..self.file_text.ceil_char_boundary(range.end).max(start))
            }
            DocumentLocation::Override(_) => location.clone(),
        }
    }
}

/// Returns the range of the lines that contain `locations`, or `None` if no location is in the file.
fn extend_to_lines<'l>(text: &str, locations: impl IntoIterator<Item = &'l DocumentLocation>) -> Option<Range<usize>> {
    let ranges = locations.into_iter().filter_map(|location| match location {
        DocumentLocation::File(range) => Some(*range),
        DocumentLocation::Override(_) => None,
    });
    let (start, end) = ranges.map(|range| (range.start, range.end)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    Some(start..end)
}
