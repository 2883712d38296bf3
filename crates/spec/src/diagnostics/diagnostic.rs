//! One mistake in a pipeline file.

use super::code::DiagnosticCode;
use super::location::{DiagnosticPlace, DocumentLocation};

/// One mistake in a pipeline file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The kind of the mistake.
    pub code: DiagnosticCode,
    /// A sentence that says what is wrong.
    pub message: String,
    /// The place of the mistake.
    pub place: DiagnosticPlace,
    /// What would be valid: the end of a sentence that begins with "expected".
    pub expected: String,
    /// A suggestion for correcting the mistake.
    pub hint: Option<String>,
    pub(crate) location: DocumentLocation,
    pub(crate) related: Option<RelatedLocation>,
    /// Whether messages omit the line of the mistake, because the line may contain a secret.
    pub(crate) is_line_redacted: bool,
}

/// A second location that helps to understand a mistake, such as the other one of two conflicting settings.
#[derive(Clone, Debug)]
pub(crate) struct RelatedLocation {
    pub(crate) location: DocumentLocation,
    pub(crate) label: String,
}

impl Diagnostic {
    pub(crate) fn set_hint(&mut self, hint: impl Into<Option<String>>) -> &mut Self {
        self.hint = hint.into();
        self
    }

    /// Adds a second location that helps to understand the mistake.
    pub(crate) fn set_related(&mut self, location: &DocumentLocation, label: String) -> &mut Self {
        self.related = Some(RelatedLocation { location: location.clone(), label });
        self
    }

    /// Makes messages omit the line of the mistake, because the line may contain a secret.
    pub(crate) fn redact_line(&mut self) -> &mut Self {
        self.is_line_redacted = true;
        self
    }
}
