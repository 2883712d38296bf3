//! The pauses between attempts to reach Redis.

use std::time::Duration;

use windrow_engine::RetryBackoff;

use crate::redis::settings::RedisWriterSettings;

/// Computes the pauses. Each pause is twice as long as the one before, within the limits of the settings. A random
/// jitter changes each pause.
#[derive(Debug)]
pub(crate) struct JitteredRetryBackoff(RetryBackoff);

impl JitteredRetryBackoff {
    pub(crate) fn new(settings: &RedisWriterSettings) -> Self {
        Self(RetryBackoff::new(settings.min_retry_pause, settings.max_retry_pause))
    }

    /// Returns the next pause: the delay that the backoff computes, shortened or lengthened at random by at most 20 %.
    pub(crate) fn next_pause(&mut self) -> Duration {
        self.0.next_delay().mul_f64(0.8 + 0.4 * fastrand::f64())
    }

    /// Makes the next pause the shortest pause of the settings again.
    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }
}
