//! All metrics that one worker publishes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use windrow_core::EventTime;

use super::checkpoint_metrics::CheckpointMetrics;
use super::counter::Counter;
use super::missing_rows::MissingRowsMetrics;
use super::parked_partitions::ParkedPartitions;
use super::partition_status::PartitionStatuses;
use super::recent_events::RecentEvents;
use super::worker_time_use::WorkerTimeUse;

/// The metrics of one feature view in one worker.
#[derive(Debug, Default)]
pub struct ViewMetrics {
    /// The number of rows of the view that the worker passed to the sink.
    pub fired_rows: Counter,
    /// The number of events that arrived after all their windows of the view had closed.
    pub late_events: Counter,
    /// The number of these events that would not be late if the watermark had not followed the wall clock while the
    /// partition was idle.
    pub late_after_idle_events: Counter,
    /// The number of entities with state in the view, over all shards of the worker.
    pub entity_count: AtomicU64,
    /// How often the sums of the view's features have overflowed.
    pub feature_overflows: FeatureOverflowCounts,
}

/// How often the sums of a view's features have overflowed.
#[derive(Debug, Default)]
pub struct FeatureOverflowCounts(Mutex<BTreeMap<usize, u64>>);

impl FeatureOverflowCounts {
    /// Counts `overflow_count` overflows of the feature at `feature_index`. Returns how many there are now.
    pub(crate) fn add(&self, feature_index: usize, overflow_count: u64) -> u64 {
        let mut counts = self.0.lock();
        let count = counts.entry(feature_index).or_default();
        *count += overflow_count;
        *count
    }

    /// Returns the number of overflows of the feature at `feature_index`.
    #[must_use]
    pub fn overflow_count(&self, feature_index: usize) -> u64 {
        self.0.lock().get(&feature_index).copied().unwrap_or(0)
    }
}

/// The metrics of one worker.
#[derive(Debug)]
pub struct WorkerMetrics {
    /// The number of records read, including records that are not events.
    pub records_read: Counter,
    /// The number of payload bytes read.
    pub bytes_read: Counter,
    /// The number of records that are not events.
    pub dead_letters: Counter,
    /// The number of events that are later than the wall clock allows. They are dead letters.
    pub future_events: Counter,
    /// The number of events that were late for at least one view.
    pub late_events: Counter,
    /// The number of records in another partition than the other records of their entity.
    pub misplaced_records: Counter,
    /// The number of events whose time would be near the time of their record in another unit or format.
    pub misread_event_times: Counter,
    /// The number of texts in events that were too long for the aggregates that would keep them.
    pub oversized_texts: Counter,
    /// The number of rows that the row store refused.
    pub refused_rows: Counter,
    /// The number of rows that the worker computed again but did not write, because the row store already had these
    /// rows.
    pub rows_already_written: Counter,
    /// The rows that the row store has lost and that the worker cannot write again.
    pub missing_rows: MissingRowsMetrics,
    /// The metrics of the worker's checkpoints.
    pub checkpoint_metrics: CheckpointMetrics,
    /// The metrics of each feature view, in the order of the pipeline's views.
    pub view_metrics: Box<[ViewMetrics]>,
    /// The number of entities with state in at least one view, over all shards of the worker.
    pub entity_count: AtomicU64,
    /// The number of shards that the worker owns.
    pub shard_count: AtomicU64,
    /// The worker's busy, idle and blocked time.
    pub time_use: WorkerTimeUse,
    /// The newest late events, dead letters and timeline marks.
    pub recent_events: RecentEvents,
    /// The partitions that the worker has parked because of a fault.
    pub parked_partitions: ParkedPartitions,
    /// The status of every partition that the worker owns.
    pub partition_statuses: PartitionStatuses,
    /// The lowest watermark of the worker's shards in epoch milliseconds; `i64::MIN` if the worker has no shard, or if
    /// one of its shards has no watermark yet.
    lowest_watermark_ms: AtomicI64,
}

impl WorkerMetrics {
    /// Creates metrics with all counters at zero, for a pipeline with `views` feature views.
    #[must_use]
    pub fn new(views: usize) -> Arc<Self> {
        Arc::new(Self {
            records_read: Counter::default(),
            bytes_read: Counter::default(),
            dead_letters: Counter::default(),
            future_events: Counter::default(),
            late_events: Counter::default(),
            misplaced_records: Counter::default(),
            misread_event_times: Counter::default(),
            oversized_texts: Counter::default(),
            refused_rows: Counter::default(),
            rows_already_written: Counter::default(),
            missing_rows: MissingRowsMetrics::default(),
            checkpoint_metrics: CheckpointMetrics::default(),
            view_metrics: (0..views).map(|_| ViewMetrics::default()).collect(),
            entity_count: AtomicU64::new(0),
            shard_count: AtomicU64::new(0),
            time_use: WorkerTimeUse::default(),
            recent_events: RecentEvents::default(),
            parked_partitions: ParkedPartitions::default(),
            partition_statuses: PartitionStatuses::default(),
            lowest_watermark_ms: AtomicI64::new(i64::MIN),
        })
    }

    pub(crate) fn set_shard_totals(&self, shards: usize, entities: usize, watermark: Option<EventTime>) {
        self.shard_count.store(shards as u64, Ordering::Relaxed);
        self.entity_count.store(entities as u64, Ordering::Relaxed);
        self.lowest_watermark_ms.store(watermark.map_or(i64::MIN, EventTime::ms), Ordering::Relaxed);
    }

    /// Returns the lowest watermark of the worker's shards. Returns `None` if the worker has no shard, or if one of its
    /// shards has no watermark yet.
    #[must_use]
    pub fn lowest_watermark(&self) -> Option<EventTime> {
        match self.lowest_watermark_ms.load(Ordering::Relaxed) {
            i64::MIN => None,
            ms => Some(EventTime::from_ms(ms)),
        }
    }
}
