//! Parses event times: RFC 3339, ISO 8601 without a UTC offset, or a number of milliseconds since the epoch, which may
//! be in quotation marks if types are lenient.
//!
//! An event time is rounded down to whole milliseconds, as by Java's `Instant.toEpochMilli` in Flink jobs.
//! When daylight saving time begins or ends, some local times do not exist and others exist twice. As in Java, a time
//! that does not exist is moved forward by the length of the gap. A time that exists twice means the earlier of the two
//! instants.

use jiff::fmt::temporal::{DateTimeParser, PiecesOffset};
use jiff::tz::TimeZone;
use windrow_core::text::{first_chars, trim_as_java};
use windrow_core::{EventTime, TypeConversion};

use super::rules::DecodeRules;

static EVENT_TIME_PARSER: DateTimeParser = DateTimeParser::new();

/// Parses an event time. A time without a UTC offset is a local time in the time zone of `rules`. The error is the
/// reason that the dead letter states.
pub(super) fn parse_event_time(text: &str, rules: &DecodeRules) -> Result<EventTime, String> {
    let Ok(pieces) = EVENT_TIME_PARSER.parse_pieces(text) else {
        return parse_quoted_number(text, rules.type_conversion).unwrap_or_else(|| Err(not_a_time_message(text)));
    };
    let Some(time) = pieces.time() else {
        return Err(format!("{} has a date but no time of day", quote_start_of_text(text)));
    };
    if pieces.time_zone_annotation().is_some() {
        return Err(format!(
            "{} names a time zone in brackets; write a UTC offset such as +09:00 instead",
            quote_start_of_text(text)
        ));
    }
    let datetime = pieces.date().to_datetime(time);
    let timestamp = match pieces.offset() {
        Some(PiecesOffset::Zulu) => TimeZone::UTC.to_timestamp(datetime),
        Some(PiecesOffset::Numeric(offset)) => offset.offset().to_timestamp(datetime),
        None => rules.time_zone.to_timestamp(datetime),
        Some(_) => return Err(not_a_time_message(text)),
    };
    let timestamp = timestamp.map_err(|_| out_of_range_message(text))?;
    let floor = i64::from(timestamp.subsec_nanosecond() < 0 && timestamp.subsec_nanosecond() % 1_000_000 != 0);
    EventTime::checked_from_ms(timestamp.as_millisecond() - floor).ok_or_else(|| out_of_range_message(text))
}

/// Parses a number in quotation marks, or returns `None` if `text` is no such number or `conversion` does not allow it.
fn parse_quoted_number(text: &str, conversion: TypeConversion) -> Option<Result<EventTime, String>> {
    if conversion == TypeConversion::Strict {
        return None;
    }
    let number = trim_as_java(text);
    if let Ok(ms) = number.parse() {
        return Some(event_time_from_integer_ms(ms));
    }
    number.parse().ok().filter(|ms: &f64| ms.is_finite()).map(event_time_from_double_ms)
}

/// Returns the event time that is `ms` milliseconds after the epoch. The error is the reason that the dead letter
/// states.
pub(super) fn event_time_from_integer_ms(ms: i64) -> Result<EventTime, String> {
    EventTime::checked_from_ms(ms).ok_or_else(|| out_of_range_message(&ms.to_string()))
}

/// Returns the event time that is `ms` milliseconds after the epoch, rounded down to whole milliseconds. `ms` is a
/// float, because `serde_json` reads a number with a fraction or an exponent as a float.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast of a large float gives `i64::MAX`, which is out of range"
)]
pub(super) fn event_time_from_double_ms(ms: f64) -> Result<EventTime, String> {
    EventTime::checked_from_ms(ms.floor() as i64).ok_or_else(|| out_of_range_message(&ms.to_string()))
}

fn not_a_time_message(text: &str) -> String {
    format!(
        "{} is neither RFC 3339 (2024-01-01T10:00:00Z) nor a local time (2024-01-01T10:00:00) nor a number of \
         milliseconds since 1970",
        quote_start_of_text(text)
    )
}

fn out_of_range_message(text: &str) -> String {
    format!(
        "{} is not between -9999-01-02 and 9999-12-30 (a number means milliseconds since 1970)",
        quote_start_of_text(text)
    )
}

/// Returns the first 40 characters of `text` in quotation marks, with an ellipsis if `text` is longer.
fn quote_start_of_text(text: &str) -> String {
    let cut = first_chars(text, 40);
    if cut.len() < text.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}
