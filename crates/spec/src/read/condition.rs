//! `where`: a SQL condition, from text to the core's [`Condition`].
//!
//! Owns: the way from text to condition and where in the text a mistake is. Does not own: SQL's grammar (the `sqlparser`
//! crate), which words are allowed ([`fields`]), types ([`compile_aggregate`]).
//!
//! Why the words are checked before the parser sees them: of all of SQL only conditions over fields are offered. What
//! the parser gets holds nothing else, so a field may be called `date` or `order`, a word that is not offered is
//! reported by its name, and nothing hostile reaches the large part of the parser.

mod compile;
mod words;

use std::ops::Range;

use sqlparser::{
    dialect::Dialect,
    parser::{Parser, ParserError},
    tokenizer::{Location, Span, Token, Tokenizer},
};
use windrow_core::Condition;

use super::{PipelineSetting, event::EventFields};
use crate::diagnostics::{Code, Diagnostic, DiagnosticCollector, DocumentLocation};

const MAX_CONDITION_BYTES: usize = 4_096;
const MAX_NESTING: usize = 32;
const SUPPORTED_SQL: &str = "=, <>, <, <=, >, >=, IN, IS NULL, AND, OR, NOT and parentheses";

/// Reads a condition over the fields of `words`.
pub(super) fn read_condition(
    setting: &PipelineSetting<'_>,
    words: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Condition> {
    let text = setting.read_text("a condition such as \"event_type = 'view'\"", mistakes)?;
    if text.len() > MAX_CONDITION_BYTES {
        let message = format!("`{}` is {} bytes long", setting.path, text.len());
        mistakes.report(Code::OutOfRange, setting.location, message, format!("at most {MAX_CONDITION_BYTES} bytes"));
        return None;
    }
    let mut reader = ConditionReader { text, location: setting.location, fields: words, mistakes };
    let tokens = match Tokenizer::new(&ConditionDialect, text).tokenize_with_location() {
        Ok(tokens) => tokens,
        Err(error) => {
            let at = reader.byte_offset(error.location);
            reader.report(Code::BadCondition, at..text.len(), &error.message.to_lowercase(), "its closing quote");
            return None;
        }
    };
    let tokens = words::check_tokens(tokens, &mut reader)?;
    let mut parser =
        Parser::new(&ConditionDialect).with_recursion_limit(MAX_NESTING).with_tokens_with_locations(tokens);
    match parser.parse_expr() {
        Ok(expression) => {
            let rest = parser.peek_token();
            if rest.token != Token::EOF {
                let range = reader.byte_range(rest.span);
                reader.report(
                    Code::BadCondition,
                    range,
                    "the condition goes on where it should end",
                    "AND, OR or the end",
                );
                return None;
            }
            compile::compile_condition(&expression, 0, &mut reader)
        }
        Err(error) => {
            reader.report_parser_error(&error);
            None
        }
    }
}

/// Standard SQL's words, with identifiers of any script.
#[derive(Debug)]
struct ConditionDialect;

impl Dialect for ConditionDialect {
    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_'
    }
}

/// A condition's text, what it may name, and where its mistakes go.
struct ConditionReader<'a, 'm, 't> {
    text: &'a str,
    location: &'a DocumentLocation,
    fields: &'a EventFields,
    mistakes: &'m mut DiagnosticCollector<'t>,
}

impl ConditionReader<'_, '_, '_> {
    /// Notes a mistake at `range` of the condition's text.
    fn report(&mut self, code: Code, range: Range<usize>, message: &str, expected: &str) -> &mut Diagnostic {
        let at = self.mistakes.locate_within(self.location, self.text, range);
        self.mistakes.report(code, &at, message, expected)
    }

    fn report_too_deep(&mut self) {
        self.report(Code::BadCondition, 0..self.text.len(), "the condition is nested too deeply", "fewer levels");
    }

    /// The bytes of `span`; all of the text where the parser does not know.
    fn byte_range(&self, span: Span) -> Range<usize> {
        if span == Span::empty() {
            return 0..self.text.len();
        }
        let start = self.byte_offset(span.start);
        start..self.byte_offset(span.end).max(start)
    }

    /// The byte at `location`, which counts lines and characters from 1.
    fn byte_offset(&self, location: Location) -> usize {
        let newlines = self.text.match_indices('\n').map(|(at, _)| at + 1);
        let line = usize::try_from(location.line).unwrap_or(usize::MAX);
        let column = usize::try_from(location.column).unwrap_or(usize::MAX);
        let start = std::iter::once(0).chain(newlines).nth(line.saturating_sub(1)).unwrap_or(self.text.len());
        let rest = &self.text[start..];
        start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
    }

    /// Notes what the parser says; it gives the place only within its message.
    fn report_parser_error(&mut self, error: &ParserError) {
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
                    found => format!("`{found}` cannot stand here"),
                };
                let sign = !expected.starts_with(char::is_alphabetic);
                let expected = if sign { format!("`{expected}`") } else { expected.to_owned() };
                self.report(Code::BadCondition, start..end, &message, &expected);
            }
            None => {
                self.report(Code::BadCondition, start..end, &format!("not a condition: {text}"), SUPPORTED_SQL);
            }
        }
    }
}
