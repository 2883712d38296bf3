//! The pauses between attempts to reach Redis.

use std::time::Duration;

use windrow_engine::RetryBackoff;

use crate::redis::settings::RedisWriterSettings;

/// Pauses that double from the shortest to the longest pause of the settings, with jitter.
#[derive(Debug)]
pub(crate) struct JitteredRetryBackoff(RetryBackoff);

impl JitteredRetryBackoff {
    pub(crate) fn new(settings: &RedisWriterSettings) -> Self {
        Self(RetryBackoff::new(settings.min_retry_pause, settings.max_retry_pause))
    }

    /// Returns the next pause: the backoff's delay, made up to 20 % shorter or longer at random.
    pub(crate) fn next_pause(&mut self) -> Duration {
        self.0.next_delay().mul_f64(0.8 + 0.4 * fastrand::f64())
    }

    /// Resets the next pause to the shortest one.
    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }
}
