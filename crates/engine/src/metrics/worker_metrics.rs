//! All that one worker publishes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use windrow_core::EventTime;

use super::checkpoint_metrics::CheckpointMetrics;
use super::counter::Counter;
use super::partition_status::PartitionStatuses;
use super::recent_events::RecentEvents;
use super::worker_time_use::WorkerTimeUse;

/// What one worker did with one feature view.
#[derive(Debug, Default)]
pub struct ViewMetrics {
    /// Rows that fired.
    pub rows: Counter,
    /// Events that were late for every window of the view.
    pub late_events: Counter,
    /// Entities that have state in the view, over the worker's shards.
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
    /// Shards the worker owns.
    pub shards: AtomicU64,
    /// Where the worker's time goes.
    pub time_use: WorkerTimeUse,
    /// The newest late events, dead letters and marks.
    pub recent_events: RecentEvents,
    /// The partitions the worker owns.
    pub partitions: PartitionStatuses,
    /// The lowest watermark of the shards in epoch milliseconds; `i64::MIN` while one has none.
    watermark: AtomicI64,
}

impl WorkerMetrics {
    /// Returns metrics that are all zero, for a pipeline of `views` feature views.
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

    /// Returns the lowest watermark of the shards, where all have one.
    #[must_use]
    pub fn watermark(&self) -> Option<EventTime> {
        match self.watermark.load(Ordering::Relaxed) {
            i64::MIN => None,
            ms => Some(EventTime::from_ms(ms)),
        }
    }
}
