//! What workers say of themselves, for anybody to read: what came in, what went out, what was dropped and why, where the
//! time went.
//!
//! Owns: counters, the newest of what happens rarely, where partitions stand. Does not own: rates and what pages show.
//! Invariants: (1) one writer per [`WorkerMetrics`], any number of readers; (2) counters only grow while the process
//! lives; (3) per record nothing is done but counting: what takes a lock is rare, or as rare as flushing. After a crash
//! they start at zero.

mod checkpoints;
mod histogram;
mod notes;
mod partitions;
mod times;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use windrow_core::EventTime;

pub use checkpoints::{CheckpointMetrics, CheckpointRecord, CheckpointState, RestoreRecord};
pub use histogram::{Histogram, HistogramCounts};
pub use notes::{DeadLetterRecord, LateEventRecord, RecentEvents, TimelineMark, TimelineMarkKind, TruncatedBytes};
pub(crate) use notes::{RecordingBudget, now_ms};
pub use partitions::{PartitionStatus, PartitionStatuses};
pub use times::WorkerTimeUse;

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
    pub late_events: Counter,
    /// Entities that have state in it, over the worker's shards.
    pub entities: AtomicU64,
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
    pub rows_already_written: Counter,
    /// Checkpoints.
    pub checkpoints: CheckpointMetrics,
    /// Per feature view, in the pipeline's order.
    pub views: Box<[ViewMetrics]>,
    /// Entities with state, over the worker's shards.
    pub entities: AtomicU64,
    /// Shards it owns.
    pub shards: AtomicU64,
    /// Where its time goes.
    pub time_use: WorkerTimeUse,
    /// Late events, what became a dead letter, and marks: the newest.
    pub recent_events: RecentEvents,
    /// The partitions it owns.
    pub partitions: PartitionStatuses,
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
            rows_already_written: Counter::default(),
            checkpoints: CheckpointMetrics::default(),
            views: (0..views).map(|_| ViewMetrics::default()).collect(),
            entities: AtomicU64::new(0),
            shards: AtomicU64::new(0),
            time_use: WorkerTimeUse::default(),
            recent_events: RecentEvents::default(),
            partitions: PartitionStatuses::default(),
            watermark: AtomicI64::new(i64::MIN),
        })
    }

    pub(crate) fn set_shard_totals(&self, shards: usize, entities: usize, watermark: Option<EventTime>) {
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
