//! `window.sliding`, `window.tumbling` or `window.session`: the windows of a view.

use windrow_core::{MAX_PANES_PER_WINDOW, MAX_WINDOW_MS, WindowKind, pane_size_ms};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::duration::DurationRange;
use crate::read::foreign_names::suggest_window_kind;
use crate::read::section::{DefinedSetting, ReadableValue, SectionDefinition, SettingDefinition};
use crate::read::setting::PipelineSetting;
use crate::read::table_reader::UnknownFieldRules;

const EXPECTED_WINDOW: &str =
    "one of `window.sliding = { size, slide }`, `window.tumbling = { size }` and `window.session = { gap }`";

const EXPECTED_WINDOW_SETTINGS: &str = "a table such as `{ size = \"1h\" }`";

pub(super) static WINDOW: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "window",
    "window.tumbling = { size = \"1h\" }",
    &SectionDefinition { expected: EXPECTED_WINDOW, alternatives: &[&SLIDING, &TUMBLING, &SESSION], settings: &[] },
    "The windows of the view.",
);
static SLIDING: SettingDefinition<&SectionDefinition> = SettingDefinition::optional(
    "sliding",
    &SectionDefinition { expected: EXPECTED_WINDOW_SETTINGS, alternatives: &[], settings: &[&SIZE, &SLIDE] },
    "Windows of a fixed size that begin at regular intervals and can overlap.",
);
static TUMBLING: SettingDefinition<&SectionDefinition> = SettingDefinition::optional(
    "tumbling",
    &SectionDefinition { expected: EXPECTED_WINDOW_SETTINGS, alternatives: &[], settings: &[&SIZE] },
    "Windows of a fixed size that follow one another without overlap.",
);
static SESSION: SettingDefinition<&SectionDefinition> = SettingDefinition::optional(
    "session",
    &SectionDefinition { expected: EXPECTED_WINDOW_SETTINGS, alternatives: &[], settings: &[&GAP] },
    "Windows that end after a gap without events of the user.",
);
static SIZE: SettingDefinition<DurationRange> = SettingDefinition::required(
    "size",
    "size = \"1h\"",
    DurationRange::required(1, MAX_WINDOW_MS),
    "The length of a window.",
);
static SLIDE: SettingDefinition<DurationRange> = SettingDefinition::required(
    "slide",
    "slide = \"10m\"",
    DurationRange::required(1, MAX_WINDOW_MS),
    "The time from the start of one window to the start of the next.",
);
static GAP: SettingDefinition<DurationRange> = SettingDefinition::required(
    "gap",
    "gap = \"10m\"",
    DurationRange::required(1, MAX_WINDOW_MS),
    "The time without events after which a session ends.",
);

pub(super) fn read_window(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<WindowKind> {
    let mut table = WINDOW.value.read_value(setting, mistakes)?;
    let present = table.find_alternatives();
    // A misspelt kind of window is reported as an unknown field, and not also as a missing window.
    let misspelt = present.is_empty() && !table.table.entries.is_empty();
    let foreign_name_hint = Some(suggest_window_kind as fn(&str) -> _);
    table.report_unknown_and_missing_fields_with(
        &UnknownFieldRules { foreign_name_hint, ..UnknownFieldRules::default() },
        mistakes,
    );
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
    let section = [&SLIDING, &TUMBLING, &SESSION].into_iter().find(|section| section.name() == kind)?;
    let mut table = section.value.read_value(setting, mistakes)?;
    let window = match kind {
        "sliding" => {
            let size = table.read_setting(&SIZE, mistakes);
            let slide = table.read_setting(&SLIDE, mistakes);
            size.zip(slide).and_then(|(size_ms, slide_ms)| build_sliding_window(setting, size_ms, slide_ms, mistakes))
        }
        "tumbling" => {
            table.read_setting(&SIZE, mistakes).map(|size_ms| WindowKind::Sliding { size_ms, slide_ms: size_ms })
        }
        _ => table.read_setting(&GAP, mistakes).map(|gap_ms| WindowKind::Session { gap_ms }),
    };
    table.report_unknown_and_missing_fields(mistakes);
    window
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
