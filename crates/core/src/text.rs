//! Formats counts, sizes, durations and long text for messages and pages.
//!
//! Owns: one function for each kind of number, and the truncation of text. Does not own: numbers in JSON, metrics and
//! stored state.

use std::borrow::Cow;
use std::time::Duration;

use crate::view::WindowKind;

/// Formats a count with commas between thousands: `1,234,567`.
#[must_use]
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a count with its noun: `1 row`, `2,000 rows`.
#[must_use]
pub fn format_count_with_noun(count: u64, noun: &str) -> String {
    format!("{} {}", format_count(count), pluralize(count, noun))
}

/// Returns the singular `noun` if `count` is 1. Otherwise returns the plural: `noun` with an `s`.
#[must_use]
pub fn pluralize(count: u64, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Formats a number of bytes: `512 B`, `41 kB`, `1.3 MB`.
#[must_use]
pub fn format_byte_size(bytes: u64) -> String {
    let bytes_f = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", bytes_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes_f / 1e6),
        _ => format!("{:.2} GB", bytes_f / 1e9),
    }
}

/// Formats a duration in at most two units: `2 h 5 min`, `10 min`, `9.5 s`, `0.3 s`, `40 ms`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 100 => format!("{} ms", duration.as_millis()),
        0..60 if duration.subsec_millis() > 0 => format!("{:.1} s", duration.as_secs_f64()),
        0..60 => format!("{seconds} s"),
        60..3_600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Formats the absolute value of a number of milliseconds, as [`format_duration`] does.
#[must_use]
pub fn format_duration_ms(ms: i64) -> String {
    format_duration(Duration::from_millis(ms.unsigned_abs()))
}

/// Returns `text` without the white space and control characters at its ends that Java's `String.trim` removes.
#[must_use]
pub fn trim_as_java(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

/// Returns the first `max_chars` characters of `text`.
#[must_use]
pub fn first_chars(text: &str, max_chars: usize) -> &str {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Returns `text` if it has at most `max_chars` characters. Otherwise returns its first `max_chars` characters with an
/// ellipsis.
#[must_use]
pub fn truncate_with_ellipsis(text: &str, max_chars: usize) -> Cow<'_, str> {
    let first = first_chars(text, max_chars);
    if first.len() < text.len() { Cow::Owned(format!("{first}…")) } else { Cow::Borrowed(text) }
}

/// Formats an age as [`format_duration`] does, but rounds an age of more than one second down to whole seconds: `12 s`,
/// `1 min 30 s`.
#[must_use]
pub fn format_age_ms(age_ms: u64) -> String {
    let rounded_ms = if age_ms < 1_000 { age_ms } else { age_ms / 1_000 * 1_000 };
    format_duration(Duration::from_millis(rounded_ms))
}

/// Formats a window: `tumbling 10 min`, `sliding 1 h every 10 min`, `session, gap 30 min`.
#[must_use]
pub fn format_window(window: WindowKind) -> String {
    match window {
        WindowKind::Sliding { size_ms, slide_ms } if size_ms == slide_ms => {
            format!("tumbling {}", format_duration_ms(size_ms))
        }
        WindowKind::Sliding { size_ms, slide_ms } => {
            format!("sliding {} every {}", format_duration_ms(size_ms), format_duration_ms(slide_ms))
        }
        WindowKind::Session { gap_ms } => format!("session, gap {}", format_duration_ms(gap_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 12, 123, 1_234, 1_234_567].map(format_count), ["0", "12", "123", "1,234", "1,234,567"]);
        assert_eq!(format_count_with_noun(1, "row"), "1 row");
        assert_eq!(format_count_with_noun(2_000, "row"), "2,000 rows");
    }

    #[test]
    fn spans_are_said_shortly() {
        for (ms, expected) in [
            (0, "0 ms"),
            (40, "40 ms"),
            (500, "0.5 s"),
            (10_000, "10 s"),
            (12_345, "12.3 s"),
            (90_000, "1 min 30 s"),
            (600_000, "10 min"),
            (605_000, "10 min 5 s"),
            (7_200_000, "2 h"),
            (-5_400_000, "1 h 30 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(format_duration_ms(ms), expected);
        }
        assert_eq!(format_age_ms(12_345), "12 s");
    }

    #[test]
    fn only_longer_text_is_cut() {
        assert_eq!(first_chars("한국어", 2), "한국");
        assert_eq!(first_chars("한국어", 3), "한국어");
        assert_eq!(truncate_with_ellipsis("한국어", 3), "한국어");
        assert_eq!(truncate_with_ellipsis("한국어", 2), "한국…");
        assert_eq!(truncate_with_ellipsis("", 0), "");
    }
}
