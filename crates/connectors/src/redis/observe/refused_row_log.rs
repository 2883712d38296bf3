//! The log lines about refused rows: not one for each row where there are many.

use std::time::{Duration, Instant};

use windrow_core::text::first_chars;

/// Between two log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Characters of a key in a log line.
const LOGGED_KEY_CHARS_MAX: usize = 200;

/// Logs refused rows, at most one every ten seconds.
#[derive(Default, Debug)]
pub(crate) struct RefusedRowLog {
    last_logged_at: Option<Instant>,
    unlogged_rows: usize,
}

impl RefusedRowLog {
    pub(crate) fn log_refused_row(&mut self, redis_key: &[u8], reason: &str) {
        if self.last_logged_at.is_some_and(|at| at.elapsed() < LOG_INTERVAL) {
            self.unlogged_rows += 1;
            return;
        }
        let key = String::from_utf8_lossy(redis_key);
        let key = first_chars(&key, LOGGED_KEY_CHARS_MAX);
        let other_rows = std::mem::take(&mut self.unlogged_rows);
        tracing::error!(key, reason, other_rows, "Redis refused a row");
        self.last_logged_at = Some(Instant::now());
    }
}
