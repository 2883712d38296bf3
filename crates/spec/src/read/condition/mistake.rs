//! A mistake in the text of a condition.

use std::ops::Range;

use windrow_core::text::truncate_with_ellipsis;

use crate::diagnostics::code::DiagnosticCode;

/// The supported operators and keywords, as text for messages.
pub(super) const SUPPORTED_SQL: &str = "=, <>, <, <=, >, >=, IN, IS NULL, AND, OR, NOT and parentheses";

#[derive(Debug)]
pub(super) struct ConditionMistake {
    pub(super) code: DiagnosticCode,
    /// The location in the condition's text, in bytes.
    pub(super) range: Range<usize>,
    pub(super) message: String,
    /// What would be valid: the end of a sentence that begins with "expected".
    pub(super) expected: String,
    pub(super) hint: Option<String>,
}

impl ConditionMistake {
    pub(super) fn new(
        code: DiagnosticCode,
        range: Range<usize>,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { code, range, message: message.into(), expected: expected.into(), hint: None }
    }

    /// Returns the mistake of a condition that uses `what`, which is not supported.
    pub(super) fn unsupported(range: Range<usize>, what: &str) -> Self {
        let message = format!("a condition cannot use {what}");
        Self::new(DiagnosticCode::UnsupportedCondition, range, message, SUPPORTED_SQL)
    }

    pub(super) fn with_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }
}

/// Returns a part of a condition between backticks, for messages. Escapes characters that cannot be printed, and cuts a
/// long text.
pub(super) fn quote_text(text: &str) -> String {
    let escape = |c: char| match c {
        '\'' | '"' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    format!("`{}`", truncate_with_ellipsis(text, 60).chars().map(escape).collect::<String>())
}
