//! The job in one line of numbers.

use serde::Serialize;

use super::job_report::JobReport;
use super::thresholds::BACKPRESSURE_SHARE_MAX;
use crate::report::PartitionReport;

/// A job that is further behind does not keep up.
const KEEPING_UP_MAX_MS: i64 = 5_000;

/// Sums over all instances; see `docs/api.md`. Counts are since the instances started.
#[derive(Clone, PartialEq, Default, Serialize, Debug)]
pub struct JobTotals {
    /// Records read per second, over the last ten seconds.
    pub records_per_s: f64,
    /// Rows written to Redis per second, over the last ten seconds.
    pub rows_per_s: f64,
    /// Records read.
    pub records: u64,
    /// Rows written to Redis.
    pub rows: u64,
    /// Events that were late for a view, counted once per view.
    pub late_events: u64,
    /// Records that were not events.
    pub dead_letters: u64,
    /// Rows that Redis refused.
    pub refused_rows: u64,
    /// Users with state.
    pub entities: u64,
    /// Records that wait in Kafka; absent while unknown.
    pub lag: Option<u64>,
    /// The age of the record being read now, at most the age of the lag.
    pub behind_ms: Option<i64>,
    /// The smallest watermark of the partitions that are not idle.
    pub watermark_ms: Option<i64>,
    /// Wall clock minus that watermark.
    pub watermark_delay_ms: Option<i64>,
    /// Partitions with an owner.
    pub partitions_owned: usize,
    /// All partitions.
    pub partitions: usize,
    /// The share of the workers' time spent on records.
    pub busy: f64,
    /// The share of the workers' time spent waiting for records.
    pub idle: f64,
    /// The share of the workers' time spent waiting for Redis.
    pub backpressured: f64,
}

/// Whether a job processes records as fast as they arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobPace {
    /// Records are read as fast as they arrive, and Redis accepts rows as fast as they are made.
    KeepingUp,
    /// Records or rows wait.
    Behind,
}

impl JobTotals {
    /// Returns whether the job keeps up. A job that is behind needs all that Redis can do.
    #[must_use]
    pub fn pace(&self) -> JobPace {
        let keeps_up = self.behind_ms.is_some_and(|behind| behind <= KEEPING_UP_MAX_MS)
            && self.backpressured <= BACKPRESSURE_SHARE_MAX;
        if keeps_up { JobPace::KeepingUp } else { JobPace::Behind }
    }
}

impl JobReport {
    /// Returns the sums over all instances.
    #[must_use]
    pub fn totals(&self) -> JobTotals {
        let partitions = self.partitions();
        let owned: Vec<&PartitionReport> =
            partitions.iter().filter_map(|partition| partition.owner).map(|owner| owner.report).collect();
        let mut totals =
            JobTotals { partitions_owned: owned.len(), partitions: partitions.len(), ..JobTotals::default() };
        self.add_workers(&mut totals);
        for instance in &self.instances {
            totals.rows_per_s += instance.redis.rows_per_s;
            totals.rows += instance.redis.rows_written;
            totals.late_events += instance.views.iter().map(|view| view.late_events).sum::<u64>();
        }
        totals.lag = owned.iter().filter_map(|partition| partition.lag).reduce(|a, b| a + b);
        totals.behind_ms = self.time_behind_ms(totals.lag);
        let active = owned.iter().filter(|partition| !partition.idle);
        let smallest_active = active.filter_map(|partition| partition.watermark_ms).min();
        totals.watermark_ms =
            smallest_active.or_else(|| owned.iter().filter_map(|partition| partition.watermark_ms).min());
        totals.watermark_delay_ms = totals.watermark_ms.map(|watermark| self.now_ms - watermark);
        totals
    }

    fn add_workers(&self, totals: &mut JobTotals) {
        let workers = || self.instances.iter().flat_map(|instance| &instance.workers);
        for worker in workers() {
            totals.records_per_s += worker.records_per_s;
            totals.records += worker.records;
            totals.dead_letters += worker.dead_letters;
            totals.refused_rows += worker.refused_rows;
            totals.entities += worker.entities;
            totals.busy += worker.busy_ms_per_s / 1e3;
            totals.idle += worker.idle_ms_per_s / 1e3;
            totals.backpressured += worker.backpressured_ms_per_s / 1e3;
        }
        #[allow(clippy::cast_precision_loss)] // a number of threads
        let count = workers().count().max(1) as f64;
        for share in [&mut totals.busy, &mut totals.idle, &mut totals.backpressured] {
            *share /= count;
        }
    }

    /// Returns the age of the record read last, in the partition that lags most in time. The lag cannot be older than the last
    /// moment without lag.
    fn time_behind_ms(&self, lag: Option<u64>) -> Option<i64> {
        if lag? == 0 {
            return Some(0);
        }
        let lagging =
            self.owned_partitions().map(|owner| owner.report).filter(|report| report.lag.is_some_and(|lag| lag > 0));
        let oldest_record_ms = lagging.filter_map(|report| report.last_appended_ms.or(report.event_time_ms)).min();
        let lag_began_ms = self.history().last_without_lag_ms();
        let age_ms = |since_ms: i64| (self.now_ms - since_ms).max(0);
        [oldest_record_ms, lag_began_ms].into_iter().flatten().map(age_ms).min()
    }
}
