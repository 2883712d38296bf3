//! Where a worker's time goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::counter::Counter;

/// The time of one worker since it started, divided into busy, idle and blocked.
#[derive(Debug, Default)]
pub struct WorkerTimeUse {
    /// Passes through the worker's loop.
    pub loop_iterations: Counter,
    busy_ns: Counter,
    idle_ns: Counter,
    /// Nanoseconds that the sink has kept the worker waiting for room: counted by the sink, while it does.
    blocked_ns: OnceLock<Arc<Counter>>,
    ended: AtomicBool,
    /// Of a sample of records: time spent on decoding.
    sampled_decode_ns: AtomicU64,
    /// Of the same records: time spent on windows.
    sampled_window_ns: AtomicU64,
}

impl WorkerTimeUse {
    /// Reads the time spent blocked from the sink's counter from now on.
    pub(crate) fn set_blocked_counter(&self, blocked_ns: Arc<Counter>) {
        // A worker has one sink.
        let _ = self.blocked_ns.set(blocked_ns);
    }

    pub(crate) fn record_loop(&self, busy: Duration, idle: Duration) {
        self.loop_iterations.add(1);
        self.busy_ns.add(to_nanos(busy));
        self.idle_ns.add(to_nanos(idle));
    }

    pub(crate) fn mark_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Returns whether the worker has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn record_timing_sample(&self, decode: Duration, windows: Duration) {
        self.sampled_decode_ns.fetch_add(to_nanos(decode), Ordering::Relaxed);
        self.sampled_window_ns.fetch_add(to_nanos(windows), Ordering::Relaxed);
    }

    /// Returns the time spent on records and all that goes with them.
    #[must_use]
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_ns.get())
    }

    /// Returns the time spent waiting for records.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_nanos(self.idle_ns.get())
    }

    /// Returns the time spent waiting for the store to take rows.
    #[must_use]
    pub fn blocked(&self) -> Duration {
        Duration::from_nanos(self.blocked_ns.get().map_or(0, |blocked| blocked.get()))
    }

    /// Returns the share of decoding in the time that records cost, from a sample; the rest is windows. 0 without any.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a share
    pub fn decode_share(&self) -> f64 {
        let decode = self.sampled_decode_ns.load(Ordering::Relaxed);
        match decode + self.sampled_window_ns.load(Ordering::Relaxed) {
            0 => 0.0,
            all => decode as f64 / all as f64,
        }
    }
}

fn to_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
