//! Parses event times: texts, numbers since the epoch, and arrays of the parts of a date.
//!
//! An event time is rounded down to whole milliseconds, as by Java's `Instant.toEpochMilli` in Flink jobs.
//! When daylight saving time begins or ends, some local times do not exist and others exist twice. As in Java, a time
//! that does not exist is moved forward by the length of the gap. A time that exists twice means the earlier of the two
//! instants.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime;
use jiff::fmt::temporal::{DateTimeParser, PiecesOffset};
use jiff::tz::{Offset, TimeZone};
use windrow_core::text::{first_chars, trim_as_java};
use windrow_core::{EpochUnit, EventTime, TypeConversion};

use super::rules::DecodeRules;

static EVENT_TIME_PARSER: DateTimeParser = DateTimeParser::new();

/// Java's limit of UTC offsets, in seconds. No place on Earth has ever been further from UTC.
const MAX_UTC_OFFSET_SECONDS: i32 = 18 * 3_600;
/// The times for which a message about a number suggests another unit: the years 2000 to 2099.
const PLAUSIBLE_MS: std::ops::Range<i128> = 946_684_800_000..4_102_444_800_000;

/// Parses an event time in the format of `rules`. A time without a UTC offset is a local time in the time zone of
/// `rules`. The error is the reason that the dead letter states.
pub(super) fn parse_event_time(text: &str, rules: &DecodeRules) -> Result<EventTime, String> {
    match &rules.time_text_format {
        None => parse_iso_time(text, rules),
        Some(format) => parse_formatted_time(text, format, &rules.time_zone),
    }
}

/// Parses RFC 3339, ISO 8601 without a UTC offset, or a number in quotation marks. A date alone is midnight. A time zone
/// in brackets after a UTC offset, as in Java's `ZonedDateTime`, has no effect.
fn parse_iso_time(text: &str, rules: &DecodeRules) -> Result<EventTime, String> {
    let Ok(pieces) = EVENT_TIME_PARSER.parse_pieces(text) else {
        return parse_quoted_number(text, rules).unwrap_or_else(|| Err(not_a_time_message(text, rules)));
    };
    let time = match pieces.time() {
        Some(time) => time,
        None if text.contains('-') => Time::midnight(),
        None => {
            return Err(format!(
                "{} is either a date without hyphens or a number; set `format = \"%Y%m%d\"` for the event time if it is \
                 a date",
                quote_start_of_text(text)
            ));
        }
    };
    if pieces.time_zone_annotation().is_some() && pieces.offset().is_none() {
        return Err(format!(
            "{} names a time zone in brackets without a UTC offset such as +09:00 before it",
            quote_start_of_text(text)
        ));
    }
    let datetime = pieces.date().to_datetime(time);
    match pieces.offset() {
        None => event_time_from_local_time(text, datetime, &rules.time_zone),
        Some(PiecesOffset::Zulu) => event_time_from_local_time(text, datetime, &TimeZone::UTC),
        Some(PiecesOffset::Numeric(offset)) => event_time_at_offset(text, datetime, offset.offset()),
        Some(_) => Err(not_a_time_message(text, rules)),
    }
}

/// Parses a time in `format`, in the notation of strptime. A time without an hour is midnight.
fn parse_formatted_time(text: &str, format: &str, time_zone: &TimeZone) -> Result<EventTime, String> {
    let not_in_format = |_| format!("{} is not in the format {format:?}", quote_start_of_text(text));
    let parsed = strtime::parse(format, text).map_err(not_in_format)?;
    if let Some(timestamp) = parsed.timestamp() {
        return event_time_from_timestamp(text, timestamp);
    }
    let datetime = parsed.to_datetime().map_err(not_in_format)?;
    match parsed.offset() {
        None => event_time_from_local_time(text, datetime, time_zone),
        Some(offset) => event_time_at_offset(text, datetime, offset),
    }
}

/// Parses a number in quotation marks, or returns `None` if `text` is no such number or types are strict.
fn parse_quoted_number(text: &str, rules: &DecodeRules) -> Option<Result<EventTime, String>> {
    if rules.type_conversion == TypeConversion::Strict {
        return None;
    }
    let number = trim_as_java(text);
    if let Ok(number) = number.parse() {
        return Some(event_time_from_integer(number, rules));
    }
    let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(event_time_from_double(number, rules))
}

/// Returns the event time that is `number` units after the epoch. If the rules have a format and no unit, the digits are
/// a time in this format. The error is the reason that the dead letter states.
pub(super) fn event_time_from_integer(number: i64, rules: &DecodeRules) -> Result<EventTime, String> {
    match rules.time_number_unit {
        Some(EpochUnit::Milliseconds) => EventTime::checked_from_ms(number)
            .ok_or_else(|| number_out_of_range_message(i128::from(number), EpochUnit::Milliseconds)),
        _ => event_time_from_large_integer(i128::from(number), rules),
    }
}

/// Does the same as [`event_time_from_integer`] for integers that an `i64` may not hold.
pub(super) fn event_time_from_large_integer(number: i128, rules: &DecodeRules) -> Result<EventTime, String> {
    let Some(unit) = rules.time_number_unit else {
        return parse_event_time(&number.to_string(), rules);
    };
    let ms = i64::try_from(unit.milliseconds_from_integer(number)).ok();
    ms.and_then(EventTime::checked_from_ms).ok_or_else(|| number_out_of_range_message(number, unit))
}

/// Returns the event time that is `number` units after the epoch. `number` is a float, because `serde_json` reads a
/// number with a fraction or an exponent as a float.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast of a large float gives the largest integer, which is out of range"
)]
pub(super) fn event_time_from_double(number: f64, rules: &DecodeRules) -> Result<EventTime, String> {
    let Some(unit) = rules.time_number_unit else {
        return Err(format!("{number} has a fraction or an exponent, but the event time has a format and no unit"));
    };
    let ms = unit.milliseconds_from_double(number) as i64;
    EventTime::checked_from_ms(ms).ok_or_else(|| {
        let range = out_of_range_message(&number.to_string());
        format!("{range} (a number means {} since 1970)", unit.noun())
    })
}

/// Returns the event time of the parts of a local time, as Jackson writes a Java `LocalDateTime` or `LocalDate`: year,
/// month, day, hour, minute, second and nanosecond. The hour and the minute may both be missing, and so may the second
/// and the nanosecond. Returns `None` if the parts are no time.
pub(super) fn event_time_from_parts(parts: &[i64], rules: &DecodeRules) -> Option<EventTime> {
    let [year, month, day, time @ ..] = parts else { return None };
    if !matches!(time.len(), 0 | 2..=4) {
        return None;
    }
    let small = |part: i64| i8::try_from(part).ok();
    let part_of_time = |index: usize| time.get(index).copied().unwrap_or(0);
    let date = Date::new(i16::try_from(*year).ok()?, small(*month)?, small(*day)?).ok()?;
    let nanosecond = i32::try_from(part_of_time(3)).ok()?;
    let time = Time::new(small(part_of_time(0))?, small(part_of_time(1))?, small(part_of_time(2))?, nanosecond).ok()?;
    event_time_from_local_time("", date.to_datetime(time), &rules.time_zone).ok()
}

fn event_time_from_local_time(text: &str, datetime: DateTime, time_zone: &TimeZone) -> Result<EventTime, String> {
    let timestamp = time_zone.to_timestamp(datetime).map_err(|_| out_of_range_message(text))?;
    event_time_from_timestamp(text, timestamp)
}

fn event_time_at_offset(text: &str, datetime: DateTime, offset: Offset) -> Result<EventTime, String> {
    if offset.seconds().abs() > MAX_UTC_OFFSET_SECONDS {
        return Err(format!("{} has a UTC offset beyond 18 hours", quote_start_of_text(text)));
    }
    let timestamp = offset.to_timestamp(datetime).map_err(|_| out_of_range_message(text))?;
    event_time_from_timestamp(text, timestamp)
}

fn event_time_from_timestamp(text: &str, timestamp: Timestamp) -> Result<EventTime, String> {
    let floor = i64::from(timestamp.subsec_nanosecond() < 0 && timestamp.subsec_nanosecond() % 1_000_000 != 0);
    EventTime::checked_from_ms(timestamp.as_millisecond() - floor).ok_or_else(|| out_of_range_message(text))
}

fn not_a_time_message(text: &str, rules: &DecodeRules) -> String {
    let unit = rules.time_number_unit.unwrap_or(EpochUnit::Milliseconds).noun();
    format!(
        "{} is neither RFC 3339 (2024-01-01T10:00:00Z) nor a local time (2024-01-01T10:00:00) nor a number of {unit} \
         since 1970",
        quote_start_of_text(text)
    )
}

fn out_of_range_message(text: &str) -> String {
    format!("{} is not between -9999-01-02 and 9999-12-30", quote_start_of_text(text))
}

/// Returns the message about a number out of range. If the number is plausible in another unit, suggests this unit.
fn number_out_of_range_message(number: i128, unit: EpochUnit) -> String {
    let range = out_of_range_message(&number.to_string());
    let plausible =
        EpochUnit::ALL.into_iter().find(|other| PLAUSIBLE_MS.contains(&other.milliseconds_from_integer(number)));
    let hint = plausible.map_or_else(String::new, |other| {
        format!("; set `unit = \"{}\"` for the event time if it means {}", other.symbol(), other.noun())
    });
    format!("{range} (a number means {} since 1970{hint})", unit.noun())
}

/// Returns the first 40 characters of `text` in quotation marks, with an ellipsis if `text` is longer.
fn quote_start_of_text(text: &str) -> String {
    let cut = first_chars(text, 40);
    if cut.len() < text.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}
