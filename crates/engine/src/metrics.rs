//! Counters that workers keep and anybody may read: what came in, what went out, what was dropped and why.
//!
//! Invariants: (1) one writer per [`WorkerMetrics`], any number of readers; (2) counters only grow while the process
//! lives. After a crash they start at zero.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use windrow_core::EventTime;

use crate::checkpoint::CheckpointId;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Where it stands.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker did with one feature view.
#[derive(Debug, Default)]
pub struct ViewMetrics {
    /// Rows that fired.
    pub rows: Counter,
    /// Events that were late for every window of the view.
    pub late: Counter,
}

/// What became of one worker's checkpoints.
#[derive(Debug, Default)]
pub struct CheckpointMetrics {
    /// Checkpoints that are complete.
    pub completed: Counter,
    /// Those that failed.
    pub failed: Counter,
    /// Partitions that somebody else took over while this worker believed to own them.
    pub fenced: Counter,
    /// Partitions restored from a checkpoint.
    pub restores: Counter,
    /// Bytes of what the last checkpoint added, and of everything it consists of.
    bytes: [AtomicU64; 2],
    /// From the cut of the last checkpoint to its completion, in milliseconds.
    duration_ms: AtomicU64,
    /// The longest that saving has kept the worker from its records, in microseconds.
    pause_us_max: AtomicU64,
    /// Age of the oldest last good checkpoint among the worker's partitions, in milliseconds; `u64::MAX` without any.
    age_ms: AtomicU64,
    /// Epoch and number of the checkpoint restored last, and how long that took in milliseconds.
    restored: [AtomicU64; 3],
}

impl CheckpointMetrics {
    pub(crate) fn complete(&self, bytes: (u64, u64), took: Duration) {
        self.completed.add(1);
        self.bytes[0].store(bytes.0, Ordering::Relaxed);
        self.bytes[1].store(bytes.1, Ordering::Relaxed);
        self.duration_ms.store(millis(took), Ordering::Relaxed);
    }

    pub(crate) fn paused(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.pause_us_max.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn set_age(&self, age: Option<Duration>) {
        self.age_ms.store(age.map_or(u64::MAX, millis), Ordering::Relaxed);
    }

    pub(crate) fn restored(&self, id: CheckpointId, took: Duration) {
        self.restores.add(1);
        for (place, number) in self.restored.iter().zip([id.epoch, id.number, millis(took)]) {
            place.store(number, Ordering::Relaxed);
        }
    }

    /// Bytes that the last complete checkpoint added.
    #[must_use]
    pub fn added_bytes(&self) -> u64 {
        self.bytes[0].load(Ordering::Relaxed)
    }

    /// Bytes that the last complete checkpoint consists of.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        self.bytes[1].load(Ordering::Relaxed)
    }

    /// How long the last complete checkpoint took, from its cut.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms.load(Ordering::Relaxed))
    }

    /// The longest that saving has kept the worker from its records.
    #[must_use]
    pub fn pause_max(&self) -> Duration {
        Duration::from_micros(self.pause_us_max.load(Ordering::Relaxed))
    }

    /// How long ago the last good checkpoint was cut, for the partition where that is longest; `None` without partitions.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        match self.age_ms.load(Ordering::Relaxed) {
            u64::MAX => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }

    /// The checkpoint restored last and how long that took.
    #[must_use]
    pub fn last_restored(&self) -> Option<(CheckpointId, Duration)> {
        let [epoch, number, ms] = [0, 1, 2].map(|at: usize| self.restored[at].load(Ordering::Relaxed));
        (epoch > 0).then_some((CheckpointId { epoch, number }, Duration::from_millis(ms)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What one worker did.
#[derive(Debug)]
pub struct WorkerMetrics {
    /// Records read, dead letters included.
    pub records: Counter,
    /// Bytes of those records.
    pub bytes: Counter,
    /// Records that were not events.
    pub dead_letters: Counter,
    /// Rows that the store refused.
    pub refused_rows: Counter,
    /// Rows that were in the store already when they were computed again.
    pub rows_there: Counter,
    /// Checkpoints.
    pub checkpoints: CheckpointMetrics,
    /// Per feature view, in the pipeline's order.
    pub views: Box<[ViewMetrics]>,
    /// Entities with state, over the worker's shards.
    pub entities: AtomicU64,
    /// Shards it owns.
    pub shards: AtomicU64,
    /// The lowest watermark of its shards in epoch milliseconds; `i64::MIN` while one has none.
    watermark: AtomicI64,
}

impl WorkerMetrics {
    /// All zero, for a pipeline of `views` feature views.
    #[must_use]
    pub fn new(views: usize) -> Arc<Self> {
        Arc::new(Self {
            records: Counter::default(),
            bytes: Counter::default(),
            dead_letters: Counter::default(),
            refused_rows: Counter::default(),
            rows_there: Counter::default(),
            checkpoints: CheckpointMetrics::default(),
            views: (0..views).map(|_| ViewMetrics::default()).collect(),
            entities: AtomicU64::new(0),
            shards: AtomicU64::new(0),
            watermark: AtomicI64::new(i64::MIN),
        })
    }

    pub(crate) fn set_state(&self, shards: usize, entities: usize, watermark: Option<EventTime>) {
        self.shards.store(shards as u64, Ordering::Relaxed);
        self.entities.store(entities as u64, Ordering::Relaxed);
        self.watermark.store(watermark.map_or(i64::MIN, EventTime::ms), Ordering::Relaxed);
    }

    /// The lowest watermark of its shards, where all have one.
    #[must_use]
    pub fn watermark(&self) -> Option<EventTime> {
        match self.watermark.load(Ordering::Relaxed) {
            i64::MIN => None,
            ms => Some(EventTime::from_ms(ms)),
        }
    }
}
