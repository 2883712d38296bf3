//! The totals of the job, computed from the reports of all instances.

use serde::Serialize;

use super::job_report::JobReport;
use super::thresholds::MAX_BACKPRESSURE_SHARE;
use crate::report::PartitionReport;

/// The job keeps up with its input if [`JobTotals::behind_ms`] is at most this value.
const MAX_KEEPING_UP_DELAY_MS: i64 = 5_000;

/// The totals of the job over all instances, as `docs/rest_api.md` describes them. Counts of an instance start at zero when
/// the instance starts.
#[derive(Clone, PartialEq, Default, Serialize, Debug)]
pub struct JobTotals {
    /// The number of records read per second, over the last ten seconds.
    pub records_per_s: f64,
    /// The number of rows written to Redis per second, over the last ten seconds.
    pub rows_per_s: f64,
    /// The number of records read.
    #[serde(rename = "records")]
    pub records_read: u64,
    /// The number of rows written to Redis.
    #[serde(rename = "rows")]
    pub rows_written: u64,
    /// The number of late events. An event counts once for each feature view in which it was late.
    #[serde(rename = "late_events")]
    pub late_event_count: u64,
    /// The number of records that could not be decoded into events.
    #[serde(rename = "dead_letters")]
    pub dead_letter_count: u64,
    /// The number of rows that Redis refused.
    #[serde(rename = "refused_rows")]
    pub refused_row_count: u64,
    /// The number of entities (users) for which the job keeps state.
    #[serde(rename = "entities")]
    pub entity_count: u64,
    /// The number of records in Kafka that the job has not read yet; `None` while unknown.
    pub lag: Option<u64>,
    /// How far the job is behind its input, in milliseconds. Each partition has an age: the age of the last record that
    /// the job read from it. The value is the largest age of a partition with lag, but at most the time since the job
    /// last had no lag. The value is 0 without lag, and `None` while the lag is unknown.
    pub behind_ms: Option<i64>,
    /// The smallest watermark of the partitions that are not idle, or of all partitions if all are idle.
    pub watermark_ms: Option<i64>,
    /// The wall clock minus `watermark_ms`, in milliseconds.
    pub watermark_delay_ms: Option<i64>,
    /// The number of partitions with an owner.
    #[serde(rename = "partitions_owned")]
    pub owned_partition_count: usize,
    /// The number of partitions of the topic.
    #[serde(rename = "partitions")]
    pub partition_count: usize,
    /// The share of time in which the workers process records, between 0 and 1.
    #[serde(rename = "busy")]
    pub busy_share: f64,
    /// The share of time in which the workers wait for records, between 0 and 1.
    #[serde(rename = "idle")]
    pub idle_share: f64,
    /// The share of time in which the workers wait for Redis, between 0 and 1.
    #[serde(rename = "backpressured")]
    pub backpressured_share: f64,
}

/// Whether a job processes records as fast as they arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobPace {
    /// The job reads records as fast as they arrive, and Redis accepts rows as fast as the job computes them.
    KeepingUp,
    /// Records wait in Kafka, or rows wait for Redis.
    Behind,
}

impl JobTotals {
    /// Returns whether the job keeps up with its input. While the job is behind, pages scan Redis more slowly, so that
    /// the job has more of the capacity of Redis.
    #[must_use]
    pub fn pace(&self) -> JobPace {
        let keeps_up = self.behind_ms.is_some_and(|behind| behind <= MAX_KEEPING_UP_DELAY_MS)
            && self.backpressured_share <= MAX_BACKPRESSURE_SHARE;
        if keeps_up { JobPace::KeepingUp } else { JobPace::Behind }
    }
}

impl JobReport {
    /// Returns the totals over all instances.
    #[must_use]
    pub fn compute_totals(&self) -> JobTotals {
        let partitions = self.partitions_and_owners();
        let owned: Vec<&PartitionReport> =
            partitions.iter().filter_map(|partition| partition.owner).map(|owner| owner.partition_report).collect();
        let mut totals =
            JobTotals { owned_partition_count: owned.len(), partition_count: partitions.len(), ..JobTotals::default() };
        self.add_worker_totals(&mut totals);
        for instance in &self.instances {
            totals.rows_per_s += instance.redis_writer.rows_written_per_s;
            totals.rows_written += instance.redis_writer.rows_written;
            totals.late_event_count += instance.views.iter().map(|view| view.late_event_count).sum::<u64>();
        }
        totals.lag = owned.iter().filter_map(|partition| partition.lag).reduce(|a, b| a + b);
        totals.behind_ms = self.compute_behind_ms(totals.lag);
        let active = owned.iter().filter(|partition| !partition.is_idle);
        let smallest_active = active.filter_map(|partition| partition.watermark_ms).min();
        totals.watermark_ms =
            smallest_active.or_else(|| owned.iter().filter_map(|partition| partition.watermark_ms).min());
        totals.watermark_delay_ms = totals.watermark_ms.map(|watermark| self.assembled_at_ms - watermark);
        totals
    }

    fn add_worker_totals(&self, totals: &mut JobTotals) {
        let workers = || self.instances.iter().flat_map(|instance| &instance.workers);
        for worker in workers() {
            totals.records_per_s += worker.records_read_per_s;
            totals.records_read += worker.records_read;
            totals.dead_letter_count += worker.undecodable_record_count;
            totals.refused_row_count += worker.refused_row_count;
            totals.entity_count += worker.entity_count;
            totals.busy_share += worker.busy_ms_per_s / 1e3;
            totals.idle_share += worker.idle_ms_per_s / 1e3;
            totals.backpressured_share += worker.backpressured_ms_per_s / 1e3;
        }
        let count = workers().count().max(1) as f64;
        for share in [&mut totals.busy_share, &mut totals.idle_share, &mut totals.backpressured_share] {
            *share /= count;
        }
    }

    /// Returns how far the job is behind its input, in milliseconds. [`JobTotals::behind_ms`] says how this time is
    /// computed. `lag` is the number of records that the job has not read yet.
    fn compute_behind_ms(&self, lag: Option<u64>) -> Option<i64> {
        if lag? == 0 {
            return Some(0);
        }
        let lagging = self
            .partition_owners()
            .map(|owner| owner.partition_report)
            .filter(|report| report.lag.is_some_and(|lag| lag > 0));
        let oldest_record_ms =
            lagging.filter_map(|report| report.last_record_kafka_timestamp_ms.or(report.largest_event_time_ms)).min();
        let lag_began_ms = self.build_job_history().last_moment_without_lag_ms();
        let age_ms = |since_ms: i64| (self.assembled_at_ms - since_ms).max(0);
        [oldest_record_ms, lag_began_ms].into_iter().flatten().map(age_ms).min()
    }
}
