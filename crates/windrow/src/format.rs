//! Numbers, sizes, times and durations as text for the terminal and the log.

use std::time::Duration;

use windrow_core::EventTime;

/// Formats `1,234,567`.
pub(crate) fn format_count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats `1 row` or `2,000 rows`.
pub(crate) fn format_plural(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", format_count(number), if number == 1 { "" } else { "s" })
}

/// Formats `512 B`, `41 kB` or `1.3 MB`.
pub(crate) fn format_byte_size(number: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    let number_f = number as f64;
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.0} kB", number_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number_f / 1e6),
        _ => format!("{:.2} GB", number_f / 1e9),
    }
}

/// Formats `2 h`, `10 min 5 s`, `9.5 s` or `40 ms`, with at most two units.
pub(crate) fn format_duration(duration: Duration) -> String {
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

/// Formats milliseconds as [`format_duration`] does.
pub(crate) fn format_duration_ms(ms: i64) -> String {
    format_duration(Duration::from_millis(ms.unsigned_abs()))
}

/// Formats an event time in UTC; the end of bounded input has no time.
pub(crate) fn format_event_time(time: EventTime) -> String {
    jiff::Timestamp::from_millisecond(time.ms()).map_or_else(|_| "end of input".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 12, 123, 1_234, 1_234_567].map(format_count), ["0", "12", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn spans_are_what_people_say() {
        let said = |ms| format_duration(Duration::from_millis(ms));
        assert_eq!(said(40), "40 ms");
        assert_eq!(said(500), "0.5 s");
        assert_eq!(said(10_000), "10 s");
        assert_eq!(said(600_000), "10 min");
        assert_eq!(said(605_000), "10 min 5 s");
        assert_eq!(said(7_200_000), "2 h");
        assert_eq!(said(5_400_000), "1 h 30 min");
        assert_eq!(said(90_000_000), "1 d 1 h");
    }
}
