//! Times in the expectations of a test: starts and ends of windows, and times of late events.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use windrow_core::text::format_duration_ms;
use windrow_core::{EventTime, FeatureView, WindowKind};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::setting::PipelineSetting;

const EXPECTED_TIME: &str = "a time such as \"2024-01-01T10:00:00\", or epoch milliseconds";

/// A time in an expectation, with its place in the file.
pub(super) struct TestTime<'a> {
    pub(super) time: EventTime,
    setting: PipelineSetting<'a>,
}

/// Reads a time: text with or without a UTC offset, or a number of epoch milliseconds. `time_zone` is that of the
/// section `[event]`.
pub(super) fn read_test_time<'a>(
    setting: PipelineSetting<'a>,
    time_zone: &TimeZone,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<TestTime<'a>> {
    let time = match setting.value {
        DocumentValue::Integer(ms) => EventTime::checked_from_ms(*ms),
        DocumentValue::Other(name) => {
            let message = format!("`{}` must be text or an integer, not {name} of TOML", setting.path);
            mistakes
                .report(DiagnosticCode::WrongType, setting.location, message, EXPECTED_TIME)
                .set_hint("write it in quotes".to_owned());
            return None;
        }
        _ => parse_time_text(setting.read_text(EXPECTED_TIME, mistakes)?, time_zone),
    };
    if time.is_none() {
        let message = format!("`{}` is not a time", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_TIME);
    }
    time.map(|time| TestTime { time, setting })
}

fn parse_time_text(text: &str, time_zone: &TimeZone) -> Option<EventTime> {
    let with_offset = text.parse::<Timestamp>().ok();
    let local = || time_zone.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    EventTime::checked_from_ms(with_offset.or_else(local)?.as_millisecond())
}

/// The start and the end of an expected window.
pub(super) struct WindowTimes<'a> {
    pub(super) start: Option<TestTime<'a>>,
    pub(super) end: Option<TestTime<'a>>,
}

impl WindowTimes<'_> {
    /// Reports a window that `view` cannot have. Returns whether the view can have it.
    pub(super) fn check_window(
        &self,
        view: &FeatureView,
        time_zone: &TimeZone,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> bool {
        let length_ms = match view.window {
            WindowKind::Sliding { size_ms, .. } => size_ms,
            WindowKind::Session { gap_ms } => gap_ms,
        };
        if let (Some(start), Some(end)) = (&self.start, &self.end) {
            let span_ms = end.time.ms() - start.time.ms();
            let (is_possible, windows) = match view.window {
                WindowKind::Sliding { .. } => (span_ms == length_ms, "a window of"),
                WindowKind::Session { .. } => (span_ms >= length_ms, "a session of at least"),
            };
            if !is_possible {
                let message = format!("`{}` has no window from this start to this end", view.name);
                let expected = format!("{windows} {}", format_duration_ms(length_ms));
                mistakes.report(DiagnosticCode::BadValue, end.setting.location, message, expected);
                return false;
            }
        }
        let WindowKind::Sliding { size_ms, slide_ms } = view.window else { return true };
        let (TestTime { time, setting }, offset_ms, verb) = match (&self.start, &self.end) {
            (Some(start), _) => (start, 0, "start"),
            (None, Some(end)) => (end, size_ms, "end"),
            (None, None) => return true,
        };
        let excess_ms = (time.ms() - offset_ms).rem_euclid(slide_ms);
        if excess_ms == 0 {
            return true;
        }
        let before = EventTime::from_ms(time.ms() - excess_ms);
        let behind = EventTime::from_ms(time.ms() - excess_ms + slide_ms);
        let message = format!("no window of `{}` {verb}s at this time", view.name);
        let expected = format!(
            "a window of {}, which starts at a multiple of {} since 1970-01-01T00:00:00Z",
            format_duration_ms(size_ms),
            format_duration_ms(slide_ms)
        );
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, expected).set_hint(format!(
            "the nearest windows {verb} at {} and {}",
            format_time(before, time_zone),
            format_time(behind, time_zone)
        ));
        false
    }
}

fn format_time(time: EventTime, time_zone: &TimeZone) -> String {
    let Ok(timestamp) = Timestamp::from_millisecond(time.ms()) else { return time.to_string() };
    let offset = time_zone.to_offset(timestamp);
    if offset.is_zero() { timestamp.to_string() } else { timestamp.display_with_offset(offset).to_string() }
}
