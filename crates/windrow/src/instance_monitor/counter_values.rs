//! The values of all counters of this process at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::redis::RedisWriterObserver;
use windrow_engine::{Epoch, HistogramCounts, Partition, WorkerMetrics};

/// The values of all counters. All of them except `processed_records_by_partition` count from the start of the process.
#[derive(Clone, Debug, Default)]
pub(super) struct CounterValues {
    pub(super) values_by_worker: Vec<WorkerCounterValues>,
    pub(super) fired_rows_by_view: Vec<u64>,
    /// For each partition and epoch, the number of records that a worker has processed since it opened the partition
    /// under this epoch.
    pub(super) processed_records_by_partition: BTreeMap<(Partition, Epoch), u64>,
    pub(super) rows_written_to_redis: u64,
    pub(super) redis_transaction_count: u64,
    pub(super) total_redis_transaction_time: Duration,
    pub(super) freshness_histograms: FreshnessHistograms,
}

/// The values of one worker's counters since the start of the process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WorkerCounterValues {
    pub(super) records_read: u64,
    pub(super) busy_time: Duration,
    pub(super) idle_time: Duration,
    pub(super) blocked_by_sink_time: Duration,
}

/// Histograms of the age of each row at the moment when Redis acknowledged it. A row's age counts from the event time
/// or the Kafka timestamp of the record that made the row fire.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FreshnessHistograms {
    pub(super) row_age_since_event_time: HistogramCounts,
    pub(super) row_age_since_kafka_timestamp: HistogramCounts,
}

impl CounterValues {
    /// Reads the counters of the workers and of the Redis writer. `views` is the number of feature views.
    pub(super) fn read(workers: &[Arc<WorkerMetrics>], views: usize, redis: Option<&RedisWriterObserver>) -> Self {
        let status = redis.map(RedisWriterObserver::status).unwrap_or_default();
        let view_rows = |view: usize| workers.iter().map(|worker| worker.view_metrics[view].fired_rows.get()).sum();
        let partitions = workers.iter().flat_map(|worker| worker.partition_statuses.list_published());
        Self {
            values_by_worker: workers.iter().map(|worker| WorkerCounterValues::read(worker)).collect(),
            fired_rows_by_view: (0..views).map(view_rows).collect(),
            processed_records_by_partition: partitions
                .map(|status| ((status.partition, status.epoch), status.processed_record_count))
                .collect(),
            rows_written_to_redis: status.rows_written,
            redis_transaction_count: status.transaction_count,
            total_redis_transaction_time: status.total_transaction_time,
            freshness_histograms: redis.map(FreshnessHistograms::read).unwrap_or_default(),
        }
    }
}

impl WorkerCounterValues {
    fn read(worker: &WorkerMetrics) -> Self {
        Self {
            records_read: worker.records_read.get(),
            busy_time: worker.time_use.busy_time(),
            idle_time: worker.time_use.idle_time(),
            blocked_by_sink_time: worker.time_use.blocked_time(),
        }
    }
}

impl FreshnessHistograms {
    pub(super) fn read(redis: &RedisWriterObserver) -> Self {
        let freshness = redis.freshness();
        Self {
            row_age_since_event_time: freshness.ms_since_trigger_event_time.read_counts(),
            row_age_since_kafka_timestamp: freshness.ms_since_trigger_record_timestamp.read_counts(),
        }
    }
}
