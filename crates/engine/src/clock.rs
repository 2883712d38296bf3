//! The engine's only access to time: the monotonic clock, the wall clock, sleeping and waiting for other threads.
//!
//! Owns: [`Clock`] and the system's clock. Does not own: event time, which comes from records. The engine uses these
//! clocks only to time its own work, for example flushes, checkpoints and retries, and for logs and metrics. No row
//! depends on them.
//! Invariant: no other file of this crate calls the system's functions to read a clock or to sleep. Clippy enforces
//! this invariant (`clippy.toml`).

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::wakeup::{NotificationCount, Wakeup};

/// The engine's access to time. It also blocks threads for a given time, or until a notification. A worker and its
/// checkpoint thread share one clock.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the time that has passed since the clock was created. The value never decreases.
    fn monotonic_now(&self) -> Duration;

    /// Returns the wall-clock time in epoch milliseconds. The value decreases when the machine's clock is set back.
    fn wall_now_ms(&self) -> i64;

    /// Blocks the calling thread for `duration`.
    fn sleep(&self, duration: Duration);

    /// Blocks the calling thread until `wakeup` has more notifications than `seen`, but at most for `timeout`.
    fn wait_for_notification(&self, wakeup: &Arc<Wakeup>, seen: NotificationCount, timeout: Duration) {
        wakeup.block_until_notified(seen, timeout);
    }
}

/// The operating system's clocks. The monotonic time is zero when [`SystemClock::start`] is called.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started_at: Instant,
}

impl SystemClock {
    /// Creates a system clock whose monotonic time starts at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "only this file may read the system's clocks")]
    pub fn start() -> Self {
        Self { started_at: Instant::now() }
    }

    /// Creates a system clock that several threads can share.
    #[must_use]
    pub fn start_shared() -> Arc<dyn Clock> {
        Arc::new(Self::start())
    }
}

impl Clock for SystemClock {
    fn monotonic_now(&self) -> Duration {
        self.started_at.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "only this file may read the system's clocks")]
    fn wall_now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }

    #[expect(clippy::disallowed_methods, reason = "only this file may sleep")]
    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}
