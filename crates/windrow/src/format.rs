//! Formats numbers, sizes, times and durations for the terminal and the log.

use windrow_core::EventTime;

pub(crate) use windrow_core::text::{
    format_byte_size, format_count, format_count_with_noun, format_duration, format_duration_ms, format_window,
};

/// Formats an event time in UTC. The event time that marks the end of bounded input is too large for a date. For this
/// time, returns `end of input`.
pub(crate) fn format_event_time(time: EventTime) -> String {
    jiff::Timestamp::from_millisecond(time.ms()).map_or_else(|_| "end of input".to_owned(), |time| time.to_string())
}
