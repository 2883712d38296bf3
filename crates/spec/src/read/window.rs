//! `window.sliding`, `window.tumbling` or `window.session`: the windows of a view.

use windrow_core::{MAX_PANES_PER_WINDOW, MAX_WINDOW_MS, WindowKind, pane_size_ms};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::duration::read_duration_ms;
use crate::read::table_reader::{PipelineSetting, TableReader};

const EXPECTED_WINDOW: &str =
    "one of `window.sliding = { size, slide }`, `window.tumbling = { size }` and `window.session = { gap }`";

pub(super) fn read_window(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<WindowKind> {
    let mut table = setting.read_table(EXPECTED_WINDOW, mistakes)?;
    let present: Vec<(&str, PipelineSetting<'_>)> = ["sliding", "tumbling", "session"]
        .into_iter()
        .filter_map(|kind| table.optional_setting(kind).map(|setting| (kind, setting)))
        .collect();
    // A misspelt kind of window is reported as an unknown field, and not also as a missing window.
    let misspelt = present.is_empty() && !table.table.entries.is_empty();
    table.report_unknown_and_missing_fields(mistakes);
    match present.as_slice() {
        [(kind, setting)] => read_window_of_kind(kind, setting, mistakes),
        [] if misspelt => None,
        [] => {
            mistakes.report(DiagnosticCode::MissingField, setting.location, "the view has no window", EXPECTED_WINDOW);
            None
        }
        [(_, first), (_, second), ..] => {
            mistakes
                .report(
                    DiagnosticCode::ConflictingFields,
                    second.location,
                    "a view can have only one window",
                    EXPECTED_WINDOW,
                )
                .set_related(first.location, "the first window".to_owned());
            None
        }
    }
}

fn read_window_of_kind(
    kind: &str,
    setting: &PipelineSetting<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<WindowKind> {
    let mut table = setting.read_table("a table such as `{ size = \"1h\" }`", mistakes)?;
    let window = match kind {
        "sliding" => {
            let size = read_required_duration_ms(&mut table, "size", "size = \"1h\"", mistakes);
            let slide = read_required_duration_ms(&mut table, "slide", "slide = \"10m\"", mistakes);
            size.zip(slide).and_then(|(size_ms, slide_ms)| build_sliding_window(setting, size_ms, slide_ms, mistakes))
        }
        "tumbling" => read_required_duration_ms(&mut table, "size", "size = \"1h\"", mistakes)
            .map(|size_ms| WindowKind::Sliding { size_ms, slide_ms: size_ms }),
        _ => read_required_duration_ms(&mut table, "gap", "gap = \"10m\"", mistakes)
            .map(|gap_ms| WindowKind::Session { gap_ms }),
    };
    table.report_unknown_and_missing_fields(mistakes);
    window
}

fn read_required_duration_ms(
    table: &mut TableReader<'_>,
    name: &'static str,
    example: &'static str,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<i64> {
    table.required_setting(name, example).and_then(|setting| read_duration_ms(&setting, 1, MAX_WINDOW_MS, mistakes))
}

/// Returns a sliding window, or reports that it would have too many panes. The number of panes is limited, because the
/// state of an entity grows with the number of panes. The slide may be longer than the size. In this case, an event
/// between two windows belongs to no window.
fn build_sliding_window(
    setting: &PipelineSetting<'_>,
    size_ms: i64,
    slide_ms: i64,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<WindowKind> {
    let panes = size_ms / pane_size_ms(size_ms, slide_ms);
    if panes > MAX_PANES_PER_WINDOW {
        let message = format!("a window of this size and slide has {panes} panes");
        mistakes
            .report(
                DiagnosticCode::TooManyPanes,
                setting.location,
                message,
                format!("at most {MAX_PANES_PER_WINDOW} panes (size ÷ common divisor)"),
            )
            .set_hint("choose a longer slide of which the size is a multiple".to_owned());
        return None;
    }
    Some(WindowKind::Sliding { size_ms, slide_ms })
}
