//! A clock that tests advance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::Clock;

/// A clock whose time advances only in calls of [`Self::advance`] and [`Clock::sleep`]. Clones of a clock share its
/// time.
///
/// [`Clock::sleep`] advances the clock, lets other threads run, and returns at once. So a test can simulate hours in
/// moments.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now_ns: Arc<AtomicU64>,
    wall_start_ms: i64,
}

impl ManualClock {
    /// Creates a clock whose monotonic time starts at zero. The wall-clock time starts at `wall_start_ms`, in epoch
    /// milliseconds.
    #[must_use]
    pub fn starting_at(wall_start_ms: i64) -> Self {
        Self { now_ns: Arc::default(), wall_start_ms }
    }

    /// Advances both clocks by `duration`.
    pub fn advance(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.now_ns.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn monotonic_now(&self) -> Duration {
        Duration::from_nanos(self.now_ns.load(Ordering::Relaxed))
    }

    fn wall_now_ms(&self) -> i64 {
        self.wall_start_ms + i64::try_from(self.monotonic_now().as_millis()).unwrap_or(i64::MAX)
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
        thread::yield_now();
    }
}
