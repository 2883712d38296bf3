//! Reports mistakes in the text of a condition, with their locations.

use std::ops::Range;

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Span};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::diagnostic::Diagnostic;
use crate::diagnostics::location::DocumentLocation;
use crate::read::event::EventFields;

/// The deepest nesting of a condition.
pub(super) const MAX_NESTING: usize = 32;
/// The supported operators and keywords, as text for messages.
pub(super) const SUPPORTED_SQL: &str = "=, <>, <, <=, >, >=, IN, IS NULL, AND, OR, NOT and parentheses";

/// A condition during its compilation: its text, the fields that it may name, and the collector of its mistakes.
pub(super) struct ConditionContext<'a, 'm, 't> {
    pub(super) text: &'a str,
    pub(super) location: &'a DocumentLocation,
    pub(super) event_fields: &'a EventFields,
    pub(super) mistakes: &'m mut DiagnosticCollector<'t>,
}

impl ConditionContext<'_, '_, '_> {
    /// Reports a mistake. `range` is its location in the condition's text, in bytes.
    pub(super) fn report(
        &mut self,
        code: DiagnosticCode,
        range: Range<usize>,
        message: &str,
        expected: &str,
    ) -> &mut Diagnostic {
        let at = self.mistakes.locate_part_of_value(self.location, self.text, range);
        self.mistakes.report(code, &at, message, expected)
    }

    pub(super) fn report_too_deep(&mut self) {
        self.report(
            DiagnosticCode::BadCondition,
            0..self.text.len(),
            "the condition is nested too deeply",
            "fewer levels of parentheses, NOT and minus signs",
        );
    }

    /// Converts `span`, a location from the SQL parser, to a range of bytes in the condition's text. If `span` is empty
    /// because the parser knows no location, returns the range of the whole text.
    pub(super) fn byte_range(&self, span: Span) -> Range<usize> {
        if span == Span::empty() {
            return 0..self.text.len();
        }
        let start = self.byte_offset(span.start);
        start..self.byte_offset(span.end).max(start)
    }

    /// Converts `location`, a line and a column from the SQL parser, to a byte offset in the condition's text. The
    /// column is a number of characters. Line and column are counted from 1.
    pub(super) fn byte_offset(&self, location: Location) -> usize {
        let newlines = self.text.match_indices('\n').map(|(at, _)| at + 1);
        let line = usize::try_from(location.line).unwrap_or(usize::MAX);
        let column = usize::try_from(location.column).unwrap_or(usize::MAX);
        let start = std::iter::once(0).chain(newlines).nth(line.saturating_sub(1)).unwrap_or(self.text.len());
        let rest = &self.text[start..];
        start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
    }

    /// Reports an error of the SQL parser. The error has no field for its location, so the location is parsed from the
    /// error's message.
    pub(super) fn report_parser_error(&mut self, error: &ParserError) {
        let text = match error {
            ParserError::RecursionLimitExceeded => {
                self.report_too_deep();
                return;
            }
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        };
        let (text, place) = text.split_once(" at Line: ").unwrap_or((text, ""));
        let place = place
            .split_once(", Column: ")
            .and_then(|(line, column)| Some(Location { line: line.parse().ok()?, column: column.parse().ok()? }));
        let start = place.map_or(self.text.len(), |place| self.byte_offset(place));
        let end = start + self.text[start..].chars().next().map_or(0, char::len_utf8);
        match text.strip_prefix("Expected: ").and_then(|text| text.split_once(", found: ")) {
            Some((expected, found)) => {
                let message = match found {
                    "EOF" => "the condition ends too early".to_owned(),
                    found => format!("`{found}` is not allowed here"),
                };
                let sign = !expected.starts_with(char::is_alphabetic);
                let expected = if sign { format!("`{expected}`") } else { expected.to_owned() };
                self.report(DiagnosticCode::BadCondition, start..end, &message, &expected);
            }
            None => {
                self.report(
                    DiagnosticCode::BadCondition,
                    start..end,
                    &format!("this is not a condition: {text}"),
                    SUPPORTED_SQL,
                );
            }
        }
    }
}
