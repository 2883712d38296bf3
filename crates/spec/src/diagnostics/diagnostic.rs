//! One mistake.

use super::code::DiagnosticCode;
use super::location::{DiagnosticPlace, DocumentLocation};

/// One mistake.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The kind of mistake; stable.
    pub code: DiagnosticCode,
    /// What is wrong.
    pub message: String,
    /// Where it is.
    pub place: DiagnosticPlace,
    /// What would be valid there; completes a sentence after "expected".
    pub expected: String,
    /// How to correct it, where there is a suggestion.
    pub hint: Option<String>,
    pub(crate) location: DocumentLocation,
    pub(crate) related: Option<RelatedLocation>,
    /// Whether the line holds a secret and must not be rendered.
    pub(crate) redacted: bool,
}

/// A second location that a mistake is about.
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

    /// Adds a second location that the mistake is about.
    pub(crate) fn set_related(&mut self, location: &DocumentLocation, label: String) -> &mut Self {
        self.related = Some(RelatedLocation { location: location.clone(), label });
        self
    }

    /// Keeps the line, which holds a secret, out of the rendered text.
    pub(crate) fn redact_line(&mut self) -> &mut Self {
        self.redacted = true;
        self
    }
}
