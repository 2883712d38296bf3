//! Converts between durations, counts and the number types of reports.

use std::time::Duration;

/// Returns a duration in whole milliseconds.
pub(crate) fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns a duration in whole milliseconds, as a signed number that can be subtracted from an epoch time.
pub(crate) fn signed_milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns a duration in milliseconds, including fractions.
pub(crate) fn fractional_milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Converts a count to a float for rates and quotients. A float keeps the first 53 bits of the count, which is exact
/// enough for them.
pub(crate) fn count_as_f64(count: u64) -> f64 {
    count as f64
}
