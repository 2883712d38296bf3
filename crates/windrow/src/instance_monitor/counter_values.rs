//! The values of all counters of this process at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::redis::RedisWriterObserver;
use windrow_engine::{Epoch, HistogramCounts, Partition, WorkerMetrics};

/// Values of all counters since the start.
#[derive(Clone, Debug, Default)]
pub(super) struct CounterValues {
    pub(super) workers: Vec<WorkerCounterValues>,
    pub(super) rows_by_view: Vec<u64>,
    /// Records read since each opening of a partition.
    pub(super) records_by_partition: BTreeMap<(Partition, Epoch), u64>,
    pub(super) rows_written: u64,
    pub(super) transaction_count: u64,
    pub(super) total_transaction_time: Duration,
    pub(super) freshness: FreshnessCounts,
}

/// Values of one worker's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WorkerCounterValues {
    pub(super) records: u64,
    pub(super) busy_time: Duration,
    pub(super) idle_time: Duration,
    pub(super) blocked_time: Duration,
}

/// Distributions of the age of rows when Redis acknowledged them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FreshnessCounts {
    pub(super) since_event_time: HistogramCounts,
    pub(super) since_append: HistogramCounts,
}

impl CounterValues {
    /// Reads the counters of the workers and of the Redis writer. `views` is the number of feature views.
    pub(super) fn read(workers: &[Arc<WorkerMetrics>], views: usize, redis: Option<&RedisWriterObserver>) -> Self {
        let status = redis.map(RedisWriterObserver::status).unwrap_or_default();
        let view_rows = |view: usize| workers.iter().map(|worker| worker.view_metrics[view].fired_rows.get()).sum();
        let partitions = workers.iter().flat_map(|worker| worker.partition_statuses.list_published());
        Self {
            workers: workers.iter().map(|worker| WorkerCounterValues::read(worker)).collect(),
            rows_by_view: (0..views).map(view_rows).collect(),
            records_by_partition: partitions
                .map(|status| ((status.partition, status.epoch), status.record_count))
                .collect(),
            rows_written: status.rows_written,
            transaction_count: status.transaction_count,
            total_transaction_time: status.total_transaction_time,
            freshness: redis.map(FreshnessCounts::read).unwrap_or_default(),
        }
    }
}

impl WorkerCounterValues {
    fn read(worker: &WorkerMetrics) -> Self {
        Self {
            records: worker.read_records.get(),
            busy_time: worker.time_use.busy_time(),
            idle_time: worker.time_use.idle_time(),
            blocked_time: worker.time_use.blocked_time(),
        }
    }
}

impl FreshnessCounts {
    /// Reads the histograms of the Redis writer.
    pub(super) fn read(redis: &RedisWriterObserver) -> Self {
        let freshness = redis.freshness();
        Self {
            since_event_time: freshness.ms_since_trigger_event_time.read_counts(),
            since_append: freshness.ms_since_trigger_record_timestamp.read_counts(),
        }
    }
}
