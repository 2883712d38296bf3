//! Time, through one door: the monotonic clock, the wall clock and sleeping.
//!
//! Owns: [`Clock`] and the clock of the system. Does not own: event time, which enters with records. Processing time
//! decides when to flush, commit, retry and log; it is never part of a row.
//! Invariant: no other file of this crate reads a clock of the system or sleeps (`clippy.toml`).

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the time and lets it pass. Shared by a worker and the threads that work for it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the time since a fixed moment. Never goes back.
    fn now(&self) -> Duration;

    /// Returns the wall clock's time, in epoch milliseconds. May go back.
    fn wall_now_ms(&self) -> i64;

    /// Blocks the calling thread for `duration`.
    fn sleep(&self, duration: Duration);
}

/// The operating system's monotonic clock, counted from when this was started, and its wall clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // the one place
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Starts a clock that threads can share.
    #[must_use]
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self::start())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    #[allow(clippy::disallowed_methods)] // the one place
    fn wall_now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }

    #[allow(clippy::disallowed_methods)] // the one place
    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}
