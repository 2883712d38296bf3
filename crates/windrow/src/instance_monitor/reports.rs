//! Builds the parts of an instance's report: workers, views, partitions, Redis and checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use windrow_connectors::outage::SharedOutageTracker;
use windrow_connectors::redis::RedisWriterObserver;
use windrow_core::{Aggregate, Feature, FeatureView};
use windrow_engine::{HistogramCounts, ParkedPartition, PartitionOffsets, PartitionStatus, WorkerMetrics};
use windrow_web::report::{
    CheckpointCounts, DelayHistogramReport, FeatureOverflowReport, FreshnessReport, IncompleteFeatureReport,
    ParkedPartitionReport, PartitionReport, ReachabilityReport, RedisWriterReport, ViewReport, WorkerReport,
};

use super::counter_values::{CounterValues, FreshnessHistograms, WorkerCounterValues};
use super::rate_samples::RateSamples;
use crate::halt_message::{HaltMessage, describe_halt};
use crate::number_conversions::{count_as_f64, fractional_milliseconds, signed_milliseconds, whole_milliseconds};

/// A partition counts as idle if its worker has read all of its records, and has processed no record for this time.
const PARTITION_IDLE_AFTER_MS: i64 = 10_000;

/// Builds the report of the worker with the index `index`. `heartbeat_age` is the time since the worker last made
/// progress.
pub(super) fn build_worker_report(
    index: usize,
    worker: &WorkerMetrics,
    rates: &RateSamples,
    heartbeat_age: Duration,
) -> WorkerReport {
    let times = &worker.time_use;
    let values = |counters: &CounterValues| counters.values_by_worker.get(index).copied().unwrap_or_default();
    let ms_per_s = |time: fn(&WorkerCounterValues) -> Duration| {
        rates.rate_per_second(|counters| fractional_milliseconds(time(&values(counters))))
    };
    WorkerReport {
        records_read: worker.records_read.get(),
        bytes_read: worker.bytes_read.get(),
        records_read_per_s: rates.rate_per_second(|counters| count_as_f64(values(counters).records_read)),
        undecodable_record_count: worker.dead_letters.get(),
        future_event_count: worker.future_events.get(),
        late_event_count: worker.late_events.get(),
        misplaced_record_count: worker.misplaced_records.get(),
        misread_event_time_count: worker.misread_event_times.get(),
        oversized_text_count: worker.oversized_texts.get(),
        refused_row_count: worker.refused_rows.get(),
        rows_already_written: worker.rows_already_written.get(),
        entity_count: worker.entity_count.load(Ordering::Relaxed),
        busy_ms: whole_milliseconds(times.busy_time()),
        idle_ms: whole_milliseconds(times.idle_time()),
        backpressured_ms: whole_milliseconds(times.blocked_time()),
        busy_ms_per_s: ms_per_s(|values| values.busy_time),
        idle_ms_per_s: ms_per_s(|values| values.idle_time),
        backpressured_ms_per_s: ms_per_s(|values| values.blocked_by_sink_time),
        decode_share_of_busy_time: times.decode_share(),
        longest_snapshot_pause_ms: fractional_milliseconds(worker.checkpoint_metrics.longest_snapshot_pause()),
        heartbeat_age_ms: if times.has_ended() { 0 } else { whole_milliseconds(heartbeat_age) },
    }
}

/// The names of a feature view and of its features.
pub(super) struct ReportedViewNames {
    view_name: String,
    feature_names: Vec<String>,
    /// The position of each feature that computes a sum among the features of the view, and its name.
    summed_features: Vec<(usize, String)>,
}

impl ReportedViewNames {
    pub(super) fn new(view: &FeatureView) -> Self {
        let has_sum =
            |(_, feature): &(usize, &Feature)| matches!(feature.aggregate, Aggregate::Sum(_) | Aggregate::Avg(_));
        let summed = view.features.iter().enumerate().filter(has_sum);
        Self {
            view_name: view.name.to_string(),
            feature_names: view.features.iter().map(|feature| feature.name.to_string()).collect(),
            summed_features: summed.map(|(index, feature)| (index, feature.name.to_string())).collect(),
        }
    }
}

/// Builds the report of the feature view with the index `index`. The counts are sums over all workers.
pub(super) fn build_view_report(
    index: usize,
    names: &ReportedViewNames,
    workers: &[Arc<WorkerMetrics>],
    rates: &RateSamples,
) -> ViewReport {
    let views = || workers.iter().map(|worker| &worker.view_metrics[index]);
    ViewReport {
        name: names.view_name.clone(),
        rows_fired: views().map(|view| view.fired_rows.get()).sum(),
        rows_fired_per_s: rates
            .rate_per_second(|counters| count_as_f64(counters.fired_rows_by_view.get(index).copied().unwrap_or(0))),
        late_event_count: views().map(|view| view.late_events.get()).sum(),
        late_after_idle_event_count: views().map(|view| view.late_after_idle_events.get()).sum(),
        entity_count: views().map(|view| view.entity_count.load(Ordering::Relaxed)).sum(),
        feature_overflows: names
            .summed_features
            .iter()
            .map(|(feature_index, feature_name)| FeatureOverflowReport {
                feature_name: feature_name.clone(),
                overflow_count: views().map(|view| view.feature_overflows.overflow_count(*feature_index)).sum(),
            })
            .collect(),
        incomplete_features: find_incomplete_features(index, names, workers),
    }
}

/// Returns the features of a view that are incomplete in a partition of this process, in the order of the view.
fn find_incomplete_features(
    view_index: usize,
    names: &ReportedViewNames,
    workers: &[Arc<WorkerMetrics>],
) -> Vec<IncompleteFeatureReport> {
    let statuses = workers.iter().flat_map(|worker| worker.partition_statuses.list_published());
    let mut latest_by_feature = BTreeMap::new();
    for incomplete in statuses.flat_map(|status| status.incomplete_features) {
        if incomplete.view_index == view_index {
            let latest = latest_by_feature.entry(incomplete.feature_index).or_insert(incomplete.complete_from_ms);
            *latest = incomplete.complete_from_ms.max(*latest);
        }
    }
    let report = |(feature_index, complete_from_ms): (usize, i64)| {
        let feature_name = names.feature_names.get(feature_index)?.clone();
        Some(IncompleteFeatureReport { feature_name, complete_from_ms })
    };
    latest_by_feature.into_iter().filter_map(report).collect()
}

/// The status of a partition, and the index of the worker that owns the partition.
pub(super) struct OwnedPartitionStatus {
    pub(super) worker_index: usize,
    pub(super) partition_status: PartitionStatus,
}

/// Builds the report of one partition. Without `rates`, the number of records per second in the report is 0.
pub(super) fn build_partition_report(
    owned: &OwnedPartitionStatus,
    end_offsets: &PartitionOffsets,
    now_ms: i64,
    rates: Option<&RateSamples>,
) -> PartitionReport {
    let status = &owned.partition_status;
    // The topic monitor fetched the end offset some time ago. If the worker has read beyond this offset in the
    // meantime, the worker's next offset counts as the end.
    let end = end_offsets.get(&status.partition).map(|&end| status.next_offset.map_or(end, |offset| offset.max(end)));
    let lag = end.zip(status.next_offset).and_then(|(end, offset)| u64::try_from(end - offset).ok());
    let quiet_since_ms = status.last_record_processed_at_ms.unwrap_or(status.opened_at_ms);
    let records = |counters: &CounterValues| {
        count_as_f64(
            counters.processed_records_by_partition.get(&(status.partition, status.epoch)).copied().unwrap_or(0),
        )
    };
    PartitionReport {
        partition: status.partition,
        epoch: status.epoch,
        worker_index: owned.worker_index,
        next_offset: status.next_offset,
        end_offset: end,
        lag,
        watermark_ms: status.watermark.map(windrow_core::EventTime::ms),
        largest_event_time_ms: status.max_event_time.map(windrow_core::EventTime::ms),
        is_idle: lag == Some(0) && now_ms - quiet_since_ms >= PARTITION_IDLE_AFTER_MS,
        follows_clock: status.follows_clock,
        last_record_processed_at_ms: status.last_record_processed_at_ms,
        last_record_kafka_timestamp_ms: status.last_record_timestamp_ms,
        records_read: status.processed_record_count,
        records_read_per_s: rates.map_or(0.0, |rates| rates.rate_per_second(records)),
        entity_count: status.entity_count,
        last_checkpoint_bytes: status.last_checkpoint_total_bytes,
        last_checkpoint_offset: status.last_checkpoint_offset,
        last_checkpoint_age_ms: status.last_checkpoint_at_ms.map(|at_ms| u64::try_from(now_ms - at_ms).unwrap_or(0)),
    }
}

/// Builds the report of the Redis writer's counters and outages.
pub(super) fn build_redis_report(redis: &RedisWriterObserver, now_ms: i64, rates: &RateSamples) -> RedisWriterReport {
    let status = redis.status();
    let outage = status.ongoing_outage.as_ref();
    let mean_since_start_ms = || match status.transaction_count {
        0 => 0.0,
        transactions => fractional_milliseconds(status.total_transaction_time) / count_as_f64(transactions),
    };
    RedisWriterReport {
        reachability: ReachabilityReport {
            unreachable_since_ms: outage.map(|outage| now_ms - signed_milliseconds(outage.duration)),
            unreachable_reason: outage.map(|outage| outage.latest_reason.clone()),
        },
        rows_written: status.rows_written,
        rows_written_per_s: rates.rate_per_second(|counters| count_as_f64(counters.rows_written_to_redis)),
        transaction_count: status.transaction_count,
        total_transaction_s: status.total_transaction_time.as_secs_f64(),
        recent_mean_transaction_ms: rates.recent_mean_transaction_ms().unwrap_or_else(mean_since_start_ms),
        unacknowledged_bytes: status.unacknowledged_bytes as u64,
        unacknowledged_bytes_max: status.unacknowledged_bytes_limit as u64,
        rows_refused: status.rows_refused,
        rows_of_lost_partitions: status.rows_of_lost_partitions,
        reconnect_count: status.reconnect_count,
    }
}

/// Builds the reports of the partitions that workers have parked, ordered by partition number.
pub(super) fn build_parked_partition_reports(workers: &[Arc<WorkerMetrics>]) -> Vec<ParkedPartitionReport> {
    let parked = workers.iter().flat_map(|worker| worker.parked_partitions.list_parked());
    let build = |(partition, parked): (i32, ParkedPartition)| {
        let ParkedPartition { parked_at_ms, attempted_at_ms, retry_delay, fault } = parked;
        let HaltMessage { text, hint, .. } = describe_halt(&fault);
        let retry_at_ms = attempted_at_ms + signed_milliseconds(retry_delay);
        ParkedPartitionReport { partition, parked_at_ms, retry_at_ms, fault: text, remedy: hint }
    };
    let mut reports: Vec<ParkedPartitionReport> = parked.map(build).collect();
    reports.sort_by_key(|report| report.partition);
    reports
}

/// Adds up the checkpoint counters of all workers.
pub(super) fn sum_checkpoint_counts(workers: &[Arc<WorkerMetrics>]) -> CheckpointCounts {
    let mut counts = CheckpointCounts::default();
    for checkpoints in workers.iter().map(|worker| &worker.checkpoint_metrics) {
        counts.completed_count += checkpoints.completed_checkpoints.get();
        counts.failed_count += checkpoints.failed_checkpoints.get();
        counts.in_progress_count += checkpoints.checkpoints_in_progress_count() as u64;
        counts.restored_partition_count += checkpoints.partitions_restored.get();
        counts.fenced_partition_count += checkpoints.partitions_fenced.get();
    }
    counts.missing_row_count = workers.iter().map(|worker| worker.missing_rows.row_count.get()).sum();
    counts
}

/// Builds the report that says since when and why a service is unreachable. Both values are `None` while the service is
/// reachable.
pub(super) fn build_reachability_report(reachability: &SharedOutageTracker) -> ReachabilityReport {
    let outage = reachability.ongoing_outage();
    ReachabilityReport {
        unreachable_since_ms: outage.as_ref().map(|outage| outage.began_at_ms),
        unreachable_reason: outage.map(|outage| outage.latest_reason),
    }
}

/// Builds the report about the age of rows when Redis acknowledged them. The counts come from `since_start`, and cover
/// the time since the start of the process. The quantiles come from `rates`, and cover the last minute.
pub(super) fn build_freshness_report(since_start: &FreshnessHistograms, rates: &RateSamples) -> FreshnessReport {
    let event_time = rates.histogram_of_last_minute(|counters| &counters.freshness_histograms.row_age_since_event_time);
    let append =
        rates.histogram_of_last_minute(|counters| &counters.freshness_histograms.row_age_since_kafka_timestamp);
    FreshnessReport {
        delay_since_event_time: build_histogram_report(&since_start.row_age_since_event_time, &event_time),
        delay_since_kafka_timestamp: build_histogram_report(&since_start.row_age_since_kafka_timestamp, &append),
    }
}

fn build_histogram_report(since_start: &HistogramCounts, last_minute: &HistogramCounts) -> DelayHistogramReport {
    DelayHistogramReport {
        bucket_bounds_s: HistogramCounts::bucket_bounds_ms().iter().map(|&ms| count_as_f64(ms) / 1e3).collect(),
        bucket_counts: since_start.bucket_counts.to_vec(),
        sum_s: count_as_f64(since_start.total_duration_ms) / 1e3,
        last_minute_p50_ms: last_minute.estimate_quantile_ms(0.5),
        last_minute_p99_ms: last_minute.estimate_quantile_ms(0.99),
    }
}
