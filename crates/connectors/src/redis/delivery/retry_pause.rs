//! The pauses between attempts to reach Redis.

use std::time::Duration;

use windrow_engine::RetryBackoff;

use crate::redis::settings::RedisWriterSettings;

/// Pauses that double from the shortest to the longest one of the settings, with jitter.
#[derive(Debug)]
pub(crate) struct RetryPause(RetryBackoff);

impl RetryPause {
    pub(crate) fn new(settings: &RedisWriterSettings) -> Self {
        Self(RetryBackoff::new(settings.min_retry_pause, settings.max_retry_pause))
    }

    /// Returns the next pause, up to 20 % shorter or longer than the backoff says.
    pub(crate) fn next_pause(&mut self) -> Duration {
        self.0.next_delay().mul_f64(0.8 + 0.4 * fastrand::f64())
    }

    /// Starts again with the shortest pause.
    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }
}
