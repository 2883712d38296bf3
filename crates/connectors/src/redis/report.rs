//! What the writer tells the operator, and how often.
//!
//! Owns: the log lines about outages and refused rows. Does not own: counters (the queue).

use std::time::{Duration, Instant};

use super::address::RedisAddress;

/// Between two lines about the same outage.
const OUTAGE_REMINDER_INTERVAL: Duration = Duration::from_secs(30);

/// Between two lines about refused rows.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Characters of a key in a log line.
const LOGGED_KEY_CHARS_MAX: usize = 200;

/// Says that Redis went away, now and then that it still is, and that it is back.
#[derive(Default, Debug)]
pub(super) struct RedisOutageLog {
    since: Option<(Instant, Instant)>,
}

impl RedisOutageLog {
    /// An attempt failed because of `reason`.
    pub(super) fn record_failure(&mut self, address: &RedisAddress, reason: &str) {
        let now = Instant::now();
        match &mut self.since {
            None => {
                self.since = Some((now, now));
                tracing::warn!("waiting for Redis at {address} (sink.redis.url): {reason}");
            }
            Some((since, told)) if now - *told >= OUTAGE_REMINDER_INTERVAL => {
                *told = now;
                let seconds = (now - *since).as_secs();
                tracing::warn!("still waiting for Redis at {address} (sink.redis.url) after {seconds} s: {reason}");
            }
            Some(_) => {}
        }
    }

    /// An attempt was successful.
    pub(super) fn record_success(&mut self, address: &RedisAddress) {
        if let Some((since, _)) = self.since.take() {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!("Redis at {address} is back after {seconds:.1} s");
        }
    }
}

/// Names refused rows, not all of them when there are many.
#[derive(Default, Debug)]
pub(super) struct RefusedRowLog {
    last_logged_at: Option<Instant>,
    unlogged_rows: usize,
}

impl RefusedRowLog {
    /// Redis refused the row for `redis_key`.
    pub(super) fn log_refused_row(&mut self, redis_key: &[u8], reason: &str) {
        if self.last_logged_at.is_some_and(|told| told.elapsed() < REFUSAL_LOG_INTERVAL) {
            self.unlogged_rows += 1;
            return;
        }
        let key: String = String::from_utf8_lossy(redis_key).chars().take(LOGGED_KEY_CHARS_MAX).collect();
        let others = std::mem::take(&mut self.unlogged_rows);
        tracing::error!(others, "Redis refused the row for key {key:?}: {reason}");
        self.last_logged_at = Some(Instant::now());
    }
}
