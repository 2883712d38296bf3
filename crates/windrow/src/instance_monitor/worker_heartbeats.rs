//! Records when each worker last made progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use windrow_engine::WorkerMetrics;

/// The time of the last progress of every worker.
#[derive(Debug)]
pub(super) struct WorkerHeartbeats(Vec<Heartbeat>);

#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    /// The number of the worker's loop iterations, plus the number of nanoseconds for which the sink blocked the
    /// worker. The sum stops growing if the worker hangs.
    progress_sum: u128,
    progressed_at: Instant,
}

impl WorkerHeartbeats {
    /// Creates one heartbeat per worker. `workers` is the number of workers. The time `now` counts as the last progress
    /// of each worker.
    pub(super) fn new(workers: usize, now: Instant) -> Self {
        Self(vec![Heartbeat { progress_sum: 0, progressed_at: now }; workers])
    }

    /// Compares the progress of each worker with its progress at the last call. If a worker has made progress since
    /// then, records `now` as the time of this progress.
    pub(super) fn record_progress(&mut self, workers: &[Arc<WorkerMetrics>], now: Instant) {
        for (heartbeat, worker) in self.0.iter_mut().zip(workers) {
            let times = &worker.time_use;
            let progress = u128::from(times.loop_iterations.get()) + times.blocked_time().as_nanos();
            if heartbeat.progress_sum != progress {
                *heartbeat = Heartbeat { progress_sum: progress, progressed_at: now };
            }
        }
    }

    /// Returns the time since the worker with the index `worker` last made progress.
    pub(super) fn time_since_progress(&self, worker: usize) -> Duration {
        self.0.get(worker).map(|heartbeat| heartbeat.progressed_at.elapsed()).unwrap_or_default()
    }
}
