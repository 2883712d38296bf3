//! The parts of an instance's report: workers, views, partitions, Redis, checkpoints.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use windrow_connectors::outage::Reachability;
use windrow_connectors::redis::RedisWriterObserver;
use windrow_engine::{HistogramCounts, PartitionOffsets, PartitionStatus, WorkerMetrics};
use windrow_web::report::{
    CheckpointCounts, FreshnessReport, HistogramReport, PartitionReport, ReachabilityReport, RedisReport, ViewReport,
    WorkerReport,
};

use super::counter_values::{CounterValues, FreshnessCounts, WorkerCounterValues};
use super::rate_samples::RateSamples;
use crate::units::{count_as_f64, fractional_milliseconds, signed_milliseconds, whole_milliseconds};

/// A partition that was read to its end is idle after this time without a record.
const IDLE_AFTER_MS: i64 = 10_000;

/// Reports the worker `index`, which last made progress `heartbeat_age` ago.
pub(super) fn worker_report(
    index: usize,
    worker: &WorkerMetrics,
    rates: &RateSamples,
    heartbeat_age: Duration,
) -> WorkerReport {
    let times = &worker.time_use;
    let values = |counters: &CounterValues| counters.workers.get(index).copied().unwrap_or_default();
    let ms_per_s = |time: fn(&WorkerCounterValues) -> Duration| {
        rates.rate_per_second(|counters| fractional_milliseconds(time(&values(counters))))
    };
    WorkerReport {
        records: worker.records.get(),
        bytes: worker.bytes.get(),
        records_per_s: rates.rate_per_second(|counters| count_as_f64(values(counters).records)),
        dead_letters: worker.dead_letters.get(),
        refused_rows: worker.refused_rows.get(),
        rows_there: worker.rows_already_written.get(),
        entities: worker.entities.load(Ordering::Relaxed),
        busy_ms: whole_milliseconds(times.busy()),
        idle_ms: whole_milliseconds(times.idle()),
        backpressured_ms: whole_milliseconds(times.blocked()),
        busy_ms_per_s: ms_per_s(|values| values.busy),
        idle_ms_per_s: ms_per_s(|values| values.idle),
        backpressured_ms_per_s: ms_per_s(|values| values.blocked),
        decode_share: times.decode_share(),
        pause_ms_max: fractional_milliseconds(worker.checkpoints.max_pause()),
        beat_age_ms: if times.ended() { 0 } else { whole_milliseconds(heartbeat_age) },
    }
}

/// Reports the feature view `index` over all workers.
pub(super) fn view_report(index: usize, name: &str, workers: &[Arc<WorkerMetrics>], rates: &RateSamples) -> ViewReport {
    let views = || workers.iter().map(|worker| &worker.views[index]);
    ViewReport {
        name: name.to_owned(),
        rows: views().map(|view| view.rows.get()).sum(),
        rows_per_s: rates.rate_per_second(|counters| count_as_f64(counters.view_rows.get(index).copied().unwrap_or(0))),
        late_events: views().map(|view| view.late_events.get()).sum(),
        entities: views().map(|view| view.entities.load(Ordering::Relaxed)).sum(),
    }
}

/// A partition, and the worker that owns it.
pub(super) struct OwnedPartitionStatus {
    pub(super) worker: usize,
    pub(super) status: PartitionStatus,
}

/// Reports a partition. Without `rates` its rate is 0.
pub(super) fn partition_report(
    owned: &OwnedPartitionStatus,
    end_offsets: &PartitionOffsets,
    now_ms: i64,
    rates: Option<&RateSamples>,
) -> PartitionReport {
    let status = &owned.status;
    // The worker may have read past the end that was fetched before.
    let end = end_offsets.get(&status.partition).map(|&end| status.offset.map_or(end, |offset| offset.max(end)));
    let lag = end.zip(status.offset).and_then(|(end, offset)| u64::try_from(end - offset).ok());
    let quiet_since_ms = status.last_record_at_ms.unwrap_or(status.opened_at_ms);
    let records = |counters: &CounterValues| {
        count_as_f64(counters.partitions.get(&(status.partition, status.epoch)).copied().unwrap_or(0))
    };
    PartitionReport {
        partition: status.partition,
        epoch: status.epoch,
        worker: owned.worker,
        offset: status.offset,
        end_offset: end,
        lag,
        watermark_ms: status.watermark.map(windrow_core::EventTime::ms),
        event_time_ms: status.max_event_time.map(windrow_core::EventTime::ms),
        idle: lag == Some(0) && now_ms - quiet_since_ms >= IDLE_AFTER_MS,
        last_record_at_ms: status.last_record_at_ms,
        last_appended_ms: status.last_record_timestamp_ms,
        records: status.records,
        records_per_s: rates.map_or(0.0, |rates| rates.rate_per_second(records)),
        entities: status.entities,
        state_bytes: status.state_bytes,
        checkpoint_offset: status.checkpoint_offset,
        checkpoint_age_ms: status.checkpoint_at_ms.map(|at_ms| u64::try_from(now_ms - at_ms).unwrap_or(0)),
    }
}

/// Reports the Redis writer.
pub(super) fn redis_report(redis: &RedisWriterObserver, now_ms: i64, rates: &RateSamples) -> RedisReport {
    let status = redis.status();
    let outage = status.outage.as_ref();
    let mean_since_start_ms = || match status.transactions {
        0 => 0.0,
        transactions => fractional_milliseconds(status.transaction_time) / count_as_f64(transactions),
    };
    RedisReport {
        reach: ReachabilityReport {
            away_since_ms: outage.map(|outage| now_ms - signed_milliseconds(outage.duration)),
            reason: outage.map(|outage| outage.reason.clone()),
        },
        rows_written: status.rows_written,
        rows_per_s: rates.rate_per_second(|counters| count_as_f64(counters.rows_written)),
        transactions: status.transactions,
        transaction_seconds: status.transaction_time.as_secs_f64(),
        transaction_ms: rates.mean_transaction_ms().unwrap_or_else(mean_since_start_ms),
        waiting_bytes: status.waiting_bytes as u64,
        waiting_bytes_limit: status.waiting_bytes_limit as u64,
        rows_refused: status.rows_refused,
        rows_dropped: status.rows_dropped,
        reconnects: status.reconnects,
    }
}

/// Adds up the checkpoint counters of all workers.
pub(super) fn checkpoint_counts(workers: &[Arc<WorkerMetrics>]) -> CheckpointCounts {
    let mut counts = CheckpointCounts::default();
    for checkpoints in workers.iter().map(|worker| &worker.checkpoints) {
        counts.completed += checkpoints.completed.get();
        counts.failed += checkpoints.failed.get();
        counts.in_progress += checkpoints.in_progress_count() as u64;
        counts.restored += checkpoints.restores.get();
        counts.fenced += checkpoints.partitions_fenced.get();
    }
    counts
}

/// Reports since when and why something is unreachable.
pub(super) fn reach_report(reachability: &Reachability) -> ReachabilityReport {
    let outage = reachability.outage();
    ReachabilityReport {
        away_since_ms: outage.as_ref().map(|outage| outage.since_ms),
        reason: outage.map(|outage| outage.reason),
    }
}

/// Reports the age of rows at their arrival in Redis: counts since the start, quantiles of the last minute.
pub(super) fn freshness_report(since_start: &FreshnessCounts, rates: &RateSamples) -> FreshnessReport {
    let event_time = rates.histogram_of_last_minute(|counters| &counters.freshness.since_event_time);
    let append = rates.histogram_of_last_minute(|counters| &counters.freshness.since_append);
    FreshnessReport {
        event_time: histogram_report(&since_start.since_event_time, &event_time),
        append: histogram_report(&since_start.since_append, &append),
    }
}

fn histogram_report(since_start: &HistogramCounts, last_minute: &HistogramCounts) -> HistogramReport {
    HistogramReport {
        bounds: HistogramCounts::bounds_ms().iter().map(|&ms| count_as_f64(ms) / 1e3).collect(),
        counts: since_start.counts.to_vec(),
        sum: count_as_f64(since_start.sum_ms) / 1e3,
        p50_ms: last_minute.quantile_ms(0.5),
        p99_ms: last_minute.quantile_ms(0.99),
    }
}
