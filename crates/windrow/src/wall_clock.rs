//! Reads the wall clock for reports, log lines and names.

use jiff::Timestamp;

/// Returns the current time in epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
