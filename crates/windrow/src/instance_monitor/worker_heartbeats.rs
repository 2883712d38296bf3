//! When each worker last made progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use windrow_engine::WorkerMetrics;

/// The last progress of every worker.
#[derive(Debug)]
pub(super) struct WorkerHeartbeats(Vec<Heartbeat>);

#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    /// The sum of everything that grows while a worker runs.
    progress: u128,
    changed_at: Instant,
}

impl WorkerHeartbeats {
    /// Counts all workers as running at `now`.
    pub(super) fn new(workers: usize, now: Instant) -> Self {
        Self(vec![Heartbeat { progress: 0, changed_at: now }; workers])
    }

    /// Records which workers made progress since the last call.
    pub(super) fn update(&mut self, workers: &[Arc<WorkerMetrics>], now: Instant) {
        for (heartbeat, worker) in self.0.iter_mut().zip(workers) {
            let times = &worker.time_use;
            let progress = u128::from(times.loop_iterations.get()) + times.blocked().as_nanos();
            if heartbeat.progress != progress {
                *heartbeat = Heartbeat { progress, changed_at: now };
            }
        }
    }

    /// Returns the time since a worker last made progress.
    pub(super) fn age(&self, worker: usize) -> Duration {
        self.0.get(worker).map(|heartbeat| heartbeat.changed_at.elapsed()).unwrap_or_default()
    }
}
