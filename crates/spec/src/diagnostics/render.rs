//! Mistakes as people see them.
//!
//! Owns: the look. Invariant: only the lines a mistake points at are handed to the renderer, so the work grows with the
//! number of mistakes and not with the size of the file.

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Origin, Renderer, Snippet};

use super::{ByteRange, Diagnostic, DiagnosticPlace, Diagnostics, DocumentLocation};

pub(super) fn render(diagnostics: &Diagnostics, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        let title = Level::ERROR.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
        let mut group = title.elements(render_location(diagnostics, diagnostic));
        if let Some(hint) = &diagnostic.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    let noun = if diagnostics.len() == 1 { "mistake" } else { "mistakes" };
    out.push_str(&format!("{} {noun} in {}\n", diagnostics.len(), diagnostics.file_name));
    out
}

/// The place and what was expected there.
fn render_location<'a>(all: &'a Diagnostics, one: &'a Diagnostic) -> Vec<Element<'a>> {
    let expected = format!("expected {}", one.expected);
    match (&one.location, &one.place) {
        (DocumentLocation::File(range), _) if !one.redacted => vec![render_snippet(all, one, *range, expected)],
        (_, DiagnosticPlace::File { line, column }) => {
            let origin = Origin::path(all.file_name.as_str()).line(*line).char_column(*column);
            vec![origin.into(), Level::NOTE.message(expected).into()]
        }
        (_, place @ DiagnosticPlace::Override { .. }) => {
            let mut elements = vec![Origin::path(place.to_string()).into(), Level::NOTE.message(expected).into()];
            if let Some((at, label)) = &one.related {
                elements.push(Level::NOTE.message(format!("{label} ({})", all.describe_location(at))).into());
            }
            elements
        }
    }
}

fn render_snippet<'a>(all: &'a Diagnostics, one: &'a Diagnostic, range: ByteRange, expected: String) -> Element<'a> {
    let related = match &one.related {
        Some((DocumentLocation::File(range), label)) => Some((*range, label.as_str())),
        _ => None,
    };
    let text = all.text.as_str();
    let from = related.map_or(range.start, |(other, _)| other.start.min(range.start));
    let to = related.map_or(range.end, |(other, _)| other.end.max(range.end));
    let from = text[..from].rfind('\n').map_or(0, |newline| newline + 1);
    let to = text[to..].find('\n').map_or(text.len(), |newline| to + newline);
    let inside = |range: ByteRange| range.start - from..range.end - from;
    let mut annotations: Vec<Annotation<'a>> = vec![AnnotationKind::Primary.span(inside(range)).label(expected)];
    annotations.extend(related.map(|(range, label)| AnnotationKind::Context.span(inside(range)).label(label)));
    Snippet::source(&text[from..to])
        .path(all.file_name.as_str())
        .line_start(text[..from].matches('\n').count() + 1)
        .annotations(annotations)
        .into()
}

impl Diagnostics {
    /// A second place, in words.
    fn describe_location(&self, at: &DocumentLocation) -> String {
        match at {
            DocumentLocation::File(range) => format!("line {}", self.text[..range.start].matches('\n').count() + 1),
            DocumentLocation::Override(index) => {
                format!("--set {}", self.overrides.get(*index).map_or("", String::as_str))
            }
        }
    }
}
