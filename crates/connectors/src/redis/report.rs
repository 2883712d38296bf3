//! What the writer tells the operator, and how often.
//!
//! Owns: the log lines about outages and refused rows. Does not own: counters (the queue).

use std::time::{Duration, Instant};

use super::address::Address;

/// Between two lines about the same outage.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// Between two lines about refused rows.
const REFUSED_EVERY: Duration = Duration::from_secs(10);

/// Characters of a key in a log line.
const KEY_SHOWN: usize = 200;

/// Says that Redis went away, now and then that it still is, and that it is back.
#[derive(Default, Debug)]
pub(super) struct Outage {
    since: Option<(Instant, Instant)>,
}

impl Outage {
    /// An attempt failed because of `reason`.
    pub(super) fn failed(&mut self, address: &Address, reason: &str) {
        let now = Instant::now();
        match &mut self.since {
            None => {
                self.since = Some((now, now));
                tracing::warn!("waiting for Redis at {address} (sink.redis.url): {reason}");
            }
            Some((since, told)) if now - *told >= REMIND_EVERY => {
                *told = now;
                let seconds = (now - *since).as_secs();
                tracing::warn!("still waiting for Redis at {address} (sink.redis.url) after {seconds} s: {reason}");
            }
            Some(_) => {}
        }
    }

    /// An attempt was successful.
    pub(super) fn over(&mut self, address: &Address) {
        if let Some((since, _)) = self.since.take() {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!("Redis at {address} is back after {seconds:.1} s");
        }
    }
}

/// Names refused rows, not all of them when there are many.
#[derive(Default, Debug)]
pub(super) struct Refusals {
    told: Option<Instant>,
    untold: usize,
}

impl Refusals {
    /// Redis refused the row for `redis_key`.
    pub(super) fn one(&mut self, redis_key: &[u8], reason: &str) {
        if self.told.is_some_and(|told| told.elapsed() < REFUSED_EVERY) {
            self.untold += 1;
            return;
        }
        let key: String = String::from_utf8_lossy(redis_key).chars().take(KEY_SHOWN).collect();
        let others = std::mem::take(&mut self.untold);
        tracing::error!(others, "Redis refused the row for key {key:?}: {reason}");
        self.told = Some(Instant::now());
    }
}
