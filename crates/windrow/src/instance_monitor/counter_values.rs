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
    pub(super) view_rows: Vec<u64>,
    /// Records since each opening of a partition.
    pub(super) partitions: BTreeMap<(Partition, Epoch), u64>,
    pub(super) rows_written: u64,
    pub(super) transactions: u64,
    pub(super) transaction_time: Duration,
    pub(super) freshness: FreshnessCounts,
}

/// Values of one worker's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WorkerCounterValues {
    pub(super) records: u64,
    pub(super) busy: Duration,
    pub(super) idle: Duration,
    pub(super) blocked: Duration,
}

/// How old rows were when Redis acknowledged them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FreshnessCounts {
    pub(super) since_event_time: HistogramCounts,
    pub(super) since_append: HistogramCounts,
}

impl CounterValues {
    /// Reads the counters of the workers, which have `views` feature views, and of the Redis writer.
    pub(super) fn read(workers: &[Arc<WorkerMetrics>], views: usize, redis: Option<&RedisWriterObserver>) -> Self {
        let status = redis.map(RedisWriterObserver::status).unwrap_or_default();
        let view_rows = |view: usize| workers.iter().map(|worker| worker.views[view].rows.get()).sum();
        let partitions = workers.iter().flat_map(|worker| worker.partitions.get());
        Self {
            workers: workers.iter().map(|worker| WorkerCounterValues::read(worker)).collect(),
            view_rows: (0..views).map(view_rows).collect(),
            partitions: partitions.map(|status| ((status.partition, status.epoch), status.records)).collect(),
            rows_written: status.rows_written,
            transactions: status.transactions,
            transaction_time: status.transaction_time,
            freshness: redis.map(FreshnessCounts::read).unwrap_or_default(),
        }
    }
}

impl WorkerCounterValues {
    fn read(worker: &WorkerMetrics) -> Self {
        Self {
            records: worker.records.get(),
            busy: worker.time_use.busy(),
            idle: worker.time_use.idle(),
            blocked: worker.time_use.blocked(),
        }
    }
}

impl FreshnessCounts {
    /// Reads the histograms of the Redis writer.
    pub(super) fn read(redis: &RedisWriterObserver) -> Self {
        let freshness = redis.freshness();
        Self { since_event_time: freshness.since_event_time.counts(), since_append: freshness.since_append.counts() }
    }
}
