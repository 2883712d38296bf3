//! Where a worker's time goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::Counter;

/// One worker's time, since it started. All of it is one of busy, idle and blocked.
#[derive(Debug, Default)]
pub struct WorkerTimeUse {
    /// How often its loop came round.
    pub loop_iterations: Counter,
    busy_ns: Counter,
    idle_ns: Counter,
    /// Nanoseconds that the sink has kept the worker waiting for room: counted by the sink, while it does.
    blocked_ns: OnceLock<Arc<Counter>>,
    /// The worker has done its part.
    ended: AtomicBool,
    /// Of a sample of records: what decoding took, and what the windows took.
    sampled_ns: [AtomicU64; 2],
}

impl WorkerTimeUse {
    /// From now on `blocked_ns` is what the sink counts.
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

    /// Whether the worker has ended: its loop comes round no more.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn record_timing_sample(&self, decode: Duration, step: Duration) {
        for (sum, spent) in self.sampled_ns.iter().zip([decode, step]) {
            sum.fetch_add(to_nanos(spent), Ordering::Relaxed);
        }
    }

    /// Spent on records and all that goes with them.
    #[must_use]
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_ns.get())
    }

    /// Spent waiting for records.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_nanos(self.idle_ns.get())
    }

    /// Spent waiting for the store to take rows.
    #[must_use]
    pub fn blocked(&self) -> Duration {
        Duration::from_nanos(self.blocked_ns.get().map_or(0, |blocked| blocked.get()))
    }

    /// The share of decoding in what records cost; the rest is windows. From a sample; 0 without any.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a share
    pub fn decode_share(&self) -> f64 {
        let [decode, step] = [0, 1].map(|at: usize| self.sampled_ns[at].load(Ordering::Relaxed));
        match decode + step {
            0 => 0.0,
            all => decode as f64 / all as f64,
        }
    }
}

pub(crate) fn to_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
