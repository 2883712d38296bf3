//! A second reader of event times, with the calendar's arithmetic written out.
//!
//! Owns: `YYYY-MM-DDTHH:MM:SS[.fraction][Z|±HH:MM]`, read as UTC without an offset, and numbers of milliseconds. It does not
//! judge any other format.

use windrow_core::EventTime;

/// The latest time that is judged. The decoder's library has no timestamps beyond the next day.
const LAST_JUDGED_MS: i64 = EventTime::LATEST.ms() - 26 * 60 * 60 * 1_000;

/// A text read as a time.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Milliseconds since the epoch.
    Time(i64),
    /// In the format of a time, but no such time exists.
    NoTime,
    /// Another format.
    Unjudged,
}

/// Reads a text as a time.
pub(crate) fn read(text: &str) -> Reading {
    let Some((parts, rest)) = date_and_time(text) else { return Reading::Unjudged };
    let [year, month, day, hour, minute, second] = parts;
    let Some((millis, rest)) = fraction(rest) else { return Reading::Unjudged };
    let Some(offset_minutes) = offset(rest) else { return Reading::Unjudged };
    if second == 60 || hour == 24 {
        return Reading::Unjudged;
    }
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return Reading::NoTime;
    }
    let minutes = (days_before(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    let ms = (minutes * 60 + second) * 1_000 + millis;
    if ms > LAST_JUDGED_MS { Reading::Unjudged } else { Reading::Time(ms) }
}

/// Reads a JSON number as milliseconds, rounded down. Returns `None` outside the range of event times.
pub(crate) fn from_number(text: &str) -> Option<i64> {
    let range = EventTime::EARLIEST.ms()..=EventTime::LATEST.ms();
    if !text.contains(['.', 'e', 'E']) {
        return text.parse().ok().filter(|ms| range.contains(ms));
    }
    let floor = text.parse::<f64>().ok()?.floor();
    // Exact: both limits are far below 2⁵³.
    (floor >= *range.start() as f64 && floor <= *range.end() as f64).then_some(floor as i64)
}

/// Reads `YYYY-MM-DDTHH:MM:SS`, and returns the rest.
fn date_and_time(text: &str) -> Option<([i64; 6], &str)> {
    const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
    let (start, rest) = text.split_at_checked(SHAPE.len())?;
    let fits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    if !start.bytes().zip(SHAPE).all(fits) {
        return None;
    }
    let number = |at: std::ops::Range<usize>| start[at].parse().ok();
    Some(([number(0..4)?, number(5..7)?, number(8..10)?, number(11..13)?, number(14..16)?, number(17..19)?], rest))
}

/// Reads a fraction of up to nine digits as whole milliseconds, and returns the rest.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(digits) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = digits.split_at(length);
    let millis = digits.bytes().chain(std::iter::repeat(b'0')).take(3).fold(0, |sum, d| sum * 10 + i64::from(d - b'0'));
    (1..=9).contains(&length).then_some((millis, rest))
}

/// Reads an offset: the minutes that local time is ahead of UTC.
fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes() {
        [] | [b'Z'] => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let digits = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok());
    let (hours, minutes) = text[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (digits(hours)??, digits(minutes)??);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Returns the days from 1970-01-01 to a date, counted year by year and month by month.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let length = |year| if leap(year) { 366 } else { 365 };
    let years: i64 = if year >= 1970 { (1970..year).map(length).sum() } else { -(year..1970).map(length).sum::<i64>() };
    years + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1
}
