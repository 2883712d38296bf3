//! Renders mistakes as text.
//!
//! Invariant: the `annotate-snippets` crate gets only the lines of a mistake, because its running time grows with the
//! size of the text that it gets.

use std::fmt;

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Origin, Renderer, Snippet};

use windrow_core::text::format_count_with_noun;

use super::diagnostic::Diagnostic;
use super::list::Diagnostics;
use super::location::{ByteRange, DiagnosticPlace, DocumentLocation};

/// The style of rendered mistakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenderStyle {
    /// Plain text without colours.
    Plain,
    /// The same text with ANSI colours.
    Colored,
}

impl Diagnostics {
    /// Returns a text with all mistakes, which ends with the number of mistakes. For each mistake, the text shows the
    /// code, the message, the place, the line in the file, what was expected, and a hint.
    #[must_use]
    pub fn render(&self, style: RenderStyle) -> String {
        let renderer = match style {
            RenderStyle::Plain => Renderer::plain(),
            RenderStyle::Colored => Renderer::styled(),
        };
        let mut out = String::new();
        for diagnostic in self {
            let title = Level::ERROR.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
            let mut group = title.elements(self.render_place_and_expected(diagnostic));
            if let Some(hint) = &diagnostic.hint {
                group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push_str("\n\n");
        }
        out.push_str(&format!("{} in {}\n", format_count_with_noun(self.len() as u64, "mistake"), self.file_name));
        out
    }

    /// Returns the parts of the rendered text that show where a mistake is and what was expected there.
    fn render_place_and_expected<'a>(&'a self, one: &'a Diagnostic) -> Vec<Element<'a>> {
        let expected = format!("expected {}", one.expected);
        match (&one.location, &one.place) {
            (DocumentLocation::File(range), _) if !one.is_line_redacted => {
                vec![self.render_snippet(one, *range, expected)]
            }
            (_, DiagnosticPlace::File { line, column }) => {
                let origin = Origin::path(self.file_name.as_str()).line(*line).char_column(*column);
                vec![origin.into(), Level::NOTE.message(expected).into()]
            }
            (_, place @ DiagnosticPlace::Override { .. }) => {
                let mut elements = vec![Origin::path(place.to_string()).into(), Level::NOTE.message(expected).into()];
                if let Some(related) = &one.related {
                    let text = format!("{} ({})", related.label, self.describe_related_location(&related.location));
                    elements.push(Level::NOTE.message(text).into());
                }
                elements
            }
        }
    }

    fn render_snippet<'a>(&'a self, one: &'a Diagnostic, range: ByteRange, expected: String) -> Element<'a> {
        let related = one.related.as_ref().and_then(|related| match &related.location {
            DocumentLocation::File(range) => Some((*range, related.label.as_str())),
            DocumentLocation::Override(_) => None,
        });
        let text = self.file_text.as_str();
        let from = related.map_or(range.start, |(other, _)| other.start.min(range.start));
        let to = related.map_or(range.end, |(other, _)| other.end.max(range.end));
        let from = text[..from].rfind('\n').map_or(0, |newline| newline + 1);
        let to = text[to..].find('\n').map_or(text.len(), |newline| to + newline);
        let inside = |range: ByteRange| range.start - from..range.end - from;
        let mut annotations: Vec<Annotation<'a>> = vec![AnnotationKind::Primary.span(inside(range)).label(expected)];
        annotations.extend(related.map(|(range, label)| AnnotationKind::Context.span(inside(range)).label(label)));
        Snippet::source(&text[from..to])
            .path(self.file_name.as_str())
            .line_start(text[..from].matches('\n').count() + 1)
            .annotations(annotations)
            .into()
    }

    /// Returns a related location as text: `line 5` or `--set path`. A mistake has a related location if it also
    /// concerns another place.
    fn describe_related_location(&self, location: &DocumentLocation) -> String {
        match location {
            DocumentLocation::File(range) => {
                format!("line {}", self.file_text[..range.start].matches('\n').count() + 1)
            }
            DocumentLocation::Override(index) => {
                format!("--set {}", self.override_paths.get(*index).map_or("", String::as_str))
            }
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(RenderStyle::Plain))
    }
}

impl std::error::Error for Diagnostics {}
