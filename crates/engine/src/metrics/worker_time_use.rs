//! The busy, idle and blocked time of a worker.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::counter::Counter;

/// The time that has passed since one worker started, divided into busy, idle and blocked time.
#[derive(Debug, Default)]
pub struct WorkerTimeUse {
    /// The number of passes through the worker's loop.
    pub loop_iterations: Counter,
    busy_ns: Counter,
    idle_ns: Counter,
    /// The number of nanoseconds for which the sink has blocked the worker. The number already grows while a call of
    /// the sink is still blocked.
    blocked_ns: OnceLock<Arc<Counter>>,
    has_ended: AtomicBool,
    /// The total time that decoding the sampled records took, in nanoseconds.
    sampled_decode_ns: AtomicU64,
    /// The total time that window processing took for the sampled records, in nanoseconds.
    sampled_window_ns: AtomicU64,
}

impl WorkerTimeUse {
    /// Sets the counter of blocked nanoseconds. The sink increments this counter.
    pub(crate) fn set_blocked_counter(&self, blocked_ns: Arc<Counter>) {
        // `set` fails only if the counter is already set. Each worker sets its counter once, so the result is ignored.
        let _ = self.blocked_ns.set(blocked_ns);
    }

    pub(crate) fn record_loop_iteration(&self, busy: Duration, idle: Duration) {
        self.loop_iterations.add(1);
        self.busy_ns.add(to_nanos(busy));
        self.idle_ns.add(to_nanos(idle));
    }

    pub(crate) fn mark_ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Returns whether the worker has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    pub(crate) fn record_timing_sample(&self, decode: Duration, windows: Duration) {
        self.sampled_decode_ns.fetch_add(to_nanos(decode), Ordering::Relaxed);
        self.sampled_window_ns.fetch_add(to_nanos(windows), Ordering::Relaxed);
    }

    /// Returns the time for which the worker was neither idle nor blocked.
    #[must_use]
    pub fn busy_time(&self) -> Duration {
        Duration::from_nanos(self.busy_ns.get())
    }

    /// Returns the time that the worker spent waiting for records.
    #[must_use]
    pub fn idle_time(&self) -> Duration {
        Duration::from_nanos(self.idle_ns.get())
    }

    /// Returns the time that the worker spent waiting for the row store to accept rows.
    #[must_use]
    pub fn blocked_time(&self) -> Duration {
        Duration::from_nanos(self.blocked_ns.get().map_or(0, |blocked| blocked.get()))
    }

    /// Returns which fraction of the processing time of records was spent on decoding, from 0 to 1. Window processing
    /// took the rest. The worker measures these times only for a sample of the records. Returns 0 if no record has been
    /// sampled.
    #[must_use]
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
