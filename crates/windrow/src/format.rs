//! Numbers, sizes, times and durations as text for the terminal and the log.

use windrow_core::EventTime;

pub(crate) use windrow_core::text::{
    format_byte_size, format_count, format_duration, format_duration_ms, format_plural, format_window,
};

/// Formats an event time in UTC; the end of bounded input has no time.
pub(crate) fn format_event_time(time: EventTime) -> String {
    jiff::Timestamp::from_millisecond(time.ms()).map_or_else(|_| "end of input".to_owned(), |time| time.to_string())
}
