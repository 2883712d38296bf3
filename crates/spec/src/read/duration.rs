//! Reads durations: `10s`, `500ms`, `1h 30m`, `7d`.
//!
//! Owns: the check of the bounds, and the conversion to whole milliseconds (a day has 24 hours). Does not own: the
//! notation (the `jiff` crate). Months and years are rejected, because their length varies.

use jiff::{Span, SpanRelativeTo};
use serde_json::{Value, json};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::section::{ReadableValue, SettingValue};
use crate::read::setting::PipelineSetting;

/// The longest time to live of a row: 100 years of 365 days. This value is far below the values at which Redis
/// overflows.
pub(crate) const MAX_TTL_MS: i64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// A regular expression that accepts each duration that `jiff` reads, except months and years. It is the pattern in the
/// JSON Schema.
const DURATION_PATTERN: &str = concat!(
    r"^\s*\+?(?:(?:\d+(?:[.,]\d+)?\s*(?:w(?:eeks?|ks?)?|d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?",
    r"|s(?:ec(?:ond)?s?)?|milli(?:second)?s?|ms(?:ecs?)?|micro(?:second)?s?|[uµμ]s(?:ecs?)?|nano(?:second)?s?",
    r"|ns(?:ecs?)?)\s*,?\s*)+(?:\d+:\d\d:\d\d(?:[.,]\d+)?)?|\d+:\d\d:\d\d(?:[.,]\d+)?|[Pp][0-9A-Za-z.,]+)\s*$"
);

/// A setting whose value is a duration from `min_ms` to `max_ms`.
pub(crate) struct DurationRange {
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    /// The default of an optional setting.
    pub(crate) default_ms: Option<i64>,
    /// The other values of the setting, which messages name: the end of a sentence such as `, or "off"`.
    pub(crate) other_values: &'static str,
}

impl DurationRange {
    pub(crate) const fn required(min_ms: i64, max_ms: i64) -> Self {
        Self { min_ms, max_ms, default_ms: None, other_values: "" }
    }

    pub(crate) const fn with_default(min_ms: i64, max_ms: i64, default_ms: i64) -> Self {
        Self { min_ms, max_ms, default_ms: Some(default_ms), other_values: "" }
    }
}

impl SettingValue for DurationRange {
    fn to_schema(&self) -> Value {
        let mut schema = json!({ "type": "string", "minLength": 1, "pattern": DURATION_PATTERN });
        if let Some(default_ms) = self.default_ms {
            schema["default"] = json!(format_duration_bound(default_ms));
        }
        schema
    }

    fn describe_values(&self) -> String {
        let (min, max) = (format_duration_bound(self.min_ms), format_duration_bound(self.max_ms));
        format!("A duration with units, such as \"1h 30m\": {min} to {max}{}.", self.other_values)
    }
}

impl ReadableValue<'_> for DurationRange {
    type Content = i64;

    fn read_value(&self, setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<i64> {
        read_duration_ms(setting, self, mistakes)
    }

    fn default_content(&self) -> Option<i64> {
        self.default_ms
    }
}

/// Reads a duration, and returns it in milliseconds. Reports a duration that is outside of `range`.
fn read_duration_ms(
    setting: &PipelineSetting<'_>,
    range: &DurationRange,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<i64> {
    let DurationRange { min_ms, max_ms, other_values, .. } = *range;
    let expected_duration = format!("a duration such as \"500ms\", \"10s\", \"1h 30m\" or \"7d\"{other_values}");
    if let DocumentValue::Integer(number) = setting.value {
        let message = format!("`{}` must be a duration with a unit, not a bare number", setting.path);
        mistakes
            .report(DiagnosticCode::WrongType, setting.location, message, expected_duration)
            .set_hint(format!("for seconds, write \"{number}s\""));
        return None;
    }
    let text = setting.read_text(&expected_duration, mistakes)?;
    match parse_duration_ms(text) {
        Ok(ms) if (min_ms..=max_ms).contains(&ms) => Some(ms),
        Ok(ms) => {
            let message = format!("`{}` is too {}", setting.path, if ms < min_ms { "short" } else { "long" });
            let expected = format!(
                "at least {} and at most {}{other_values}",
                format_duration_bound(min_ms),
                format_duration_bound(max_ms)
            );
            mistakes.report(DiagnosticCode::OutOfRange, setting.location, message, expected);
            None
        }
        Err(reason) => {
            let message = format!("`{}` is not a valid duration: {reason}", setting.path);
            mistakes.report(DiagnosticCode::BadDuration, setting.location, message, expected_duration);
            None
        }
    }
}

fn parse_duration_ms(text: &str) -> Result<i64, &'static str> {
    let span: Span = text.trim().parse().map_err(|_| "it is not a number with a unit")?;
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err("months and years have no fixed length");
    }
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "it is too long to be counted in milliseconds")?;
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return Err("it is not a whole number of milliseconds");
    }
    i64::try_from(duration.as_millis()).map_err(|_| "it is too long to be counted in milliseconds")
}

/// Formats `ms` in the largest unit that gives a whole number: `90m`.
fn format_duration_bound(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    units.iter().find(|(unit, _)| ms != 0 && ms % unit == 0).map_or_else(
        || if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") },
        |(unit, name)| format!("{}{name}", ms / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_fixed_length_are_read() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("1h", 3_600_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("0s", 0),
            ("-1s", -1_000),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        for (text, reason) in [
            ("1mo", "months and years"),
            ("2 years", "months and years"),
            ("1us", "whole number of milliseconds"),
            ("10", "not a number with a unit"),
            ("soon", "not a number with a unit"),
        ] {
            let error = parse_duration_ms(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn bounds_are_written_in_round_units() {
        assert_eq!(format_duration_bound(0), "0s");
        assert_eq!(format_duration_bound(1), "1ms");
        assert_eq!(format_duration_bound(windrow_core::MAX_WINDOW_MS), "1000d");
        assert_eq!(format_duration_bound(5_400_000), "90m");
    }
}
