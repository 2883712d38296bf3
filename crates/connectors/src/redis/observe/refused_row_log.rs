//! The log of refused rows, which limits the number of log lines.

use std::time::{Duration, Instant};

use windrow_core::text::first_chars;

/// The shortest time between two log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The maximal number of characters of a key in a log line.
const MAX_LOGGED_KEY_CHARS: usize = 200;

/// Logs at most one refused row every ten seconds. A log line also contains the number of refused rows between the
/// previous log line and this one.
#[derive(Default, Debug)]
pub(crate) struct RateLimitedRefusedRowLog {
    last_logged_at: Option<Instant>,
    unlogged_row_count: usize,
}

impl RateLimitedRefusedRowLog {
    pub(crate) fn log_refused_row(&mut self, redis_key: &[u8], reason: &str) {
        if self.last_logged_at.is_some_and(|at| at.elapsed() < LOG_INTERVAL) {
            self.unlogged_row_count += 1;
            return;
        }
        let key = String::from_utf8_lossy(redis_key);
        let key = first_chars(&key, MAX_LOGGED_KEY_CHARS);
        let other_rows = std::mem::take(&mut self.unlogged_row_count);
        tracing::error!(key, reason, other_rows, "Redis refused a row");
        self.last_logged_at = Some(Instant::now());
    }
}
