//! Counters that workers keep and anybody may read: what came in, what went out, what was dropped and why.
//!
//! Invariants: (1) one writer per [`WorkerMetrics`], any number of readers; (2) counters only grow while the process
//! lives. After a crash they start at zero.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use windrow_core::EventTime;

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
