//! Mistakes in a pipeline file, and the list of all of them.
//!
//! Owns: what a mistake consists of, their order, and how they are shown ([`Diagnostics::render`]). Does not own: which
//! mistakes there are (the readers of each section).

mod code;
mod render;

use std::{fmt, ops::Range};

pub use code::Code;

use crate::PipelineOverride;

/// Where something stands, inside the crate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum DocumentLocation {
    /// Bytes of the file.
    File(ByteRange),
    /// The value of the `--set` with this position.
    Override(usize),
}

/// A range of bytes that can be ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ByteRange {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl DocumentLocation {
    pub(crate) fn from_range(range: Range<usize>) -> Self {
        Self::File(ByteRange { start: range.start, end: range.end })
    }
}

/// Where a mistake is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiagnosticPlace {
    /// In the file.
    File {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// In the value of `--set path=value`.
    Override {
        /// The path.
        path: String,
    },
}

impl fmt::Display for DiagnosticPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line, column } => write!(f, "{line}:{column}"),
            Self::Override { path } => write!(f, "--set {path}"),
        }
    }
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What kind of mistake it is; stable.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// Where it is.
    pub place: DiagnosticPlace,
    /// What belongs there; reads on after "expected".
    pub expected: String,
    /// The way out, where there is one to name.
    pub hint: Option<String>,
    location: DocumentLocation,
    related: Option<(DocumentLocation, String)>,
    redacted: bool,
}

impl Diagnostic {
    pub(crate) fn set_hint(&mut self, hint: impl Into<Option<String>>) -> &mut Self {
        self.hint = hint.into();
        self
    }

    /// A second place that has to do with it.
    pub(crate) fn set_related(&mut self, at: &DocumentLocation, label: String) -> &mut Self {
        self.related = Some((at.clone(), label));
        self
    }

    /// The line holds a secret: never show it.
    pub(crate) fn redact_line(&mut self) -> &mut Self {
        self.redacted = true;
        self
    }
}

/// All mistakes of a pipeline file: those in the file by position, then those of the overrides.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    file_name: String,
    text: String,
    overrides: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn new(
        file_name: &str,
        text: &str,
        overrides: &[PipelineOverride],
        mistakes: DiagnosticCollector<'_>,
    ) -> Self {
        let overrides: Vec<String> = overrides.iter().map(|one| one.path.clone()).collect();
        let mut diagnostics = mistakes.diagnostics;
        let line_of = |at: &DocumentLocation| match at {
            DocumentLocation::File(range) => Some(text[..range.start].matches('\n').count()),
            DocumentLocation::Override(_) => None,
        };
        // What follows from a broken line is noise: TOML's parser goes on with a guess, or without the line.
        let broken: Vec<_> =
            diagnostics.iter().filter(|one| one.code.is_syntax()).map(|one| line_of(&one.location)).collect();
        if !broken.is_empty() {
            let follows = |one: &Diagnostic| {
                matches!(one.code, Code::MissingField | Code::UndeclaredField)
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
                    DiagnosticPlace::Override { path: overrides.get(*index).cloned().unwrap_or_default() }
                }
            };
        }
        Self { file_name: file_name.to_owned(), text: text.to_owned(), overrides, diagnostics }
    }

    /// Every mistake, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.diagnostics.iter()
    }

    /// How many there are; never 0.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // it is never empty
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// All mistakes for people: each with its code, place, the line itself, what was expected and a hint, then one line
    /// with their number. With `color`, ANSI colours; without, stable plain text.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The mistakes found so far.
#[derive(Debug)]
pub(crate) struct DiagnosticCollector<'a> {
    text: &'a str,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> DiagnosticCollector<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, diagnostics: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Notes a mistake; `expected` reads on after "expected".
    pub(crate) fn report(
        &mut self,
        code: Code,
        at: &DocumentLocation,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic {
            code,
            message: message.into(),
            place: DiagnosticPlace::File { line: 1, column: 1 }, // known once all are there
            expected: expected.into(),
            hint: None,
            location: self.clamp_to_text(at),
            related: None,
            redacted: false,
        });
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// The place of `part` (bytes of `value`) within the TOML string at `at`: exact where the file spells the string as
    /// it is, the whole string where it uses escapes.
    pub(crate) fn locate_within(&self, at: &DocumentLocation, value: &str, part: Range<usize>) -> DocumentLocation {
        let DocumentLocation::File(range) = at else { return at.clone() };
        let spelled = self.text.get(range.start..range.end).unwrap_or_default();
        let inner = ["\"\"\"", "'''", "\"", "'"].iter().find_map(|quote| {
            let start = spelled.strip_prefix(quote)?;
            let start =
                if quote.len() == 3 { start.trim_start_matches("\r\n").trim_start_matches('\n') } else { start };
            (start.strip_suffix(quote)? == value).then(|| spelled.len() - start.len())
        });
        match inner {
            Some(offset) => {
                DocumentLocation::from_range(range.start + offset + part.start..range.start + offset + part.end)
            }
            None => at.clone(),
        }
    }

    /// Ranges come from libraries; one that does not fit the text must not become a panic while rendering.
    fn clamp_to_text(&self, at: &DocumentLocation) -> DocumentLocation {
        match at {
            DocumentLocation::File(range) => {
                let start = self.text.floor_char_boundary(range.start);
                DocumentLocation::from_range(start..self.text.ceil_char_boundary(range.end).max(start))
            }
            DocumentLocation::Override(_) => at.clone(),
        }
    }
}
