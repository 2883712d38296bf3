//! The job in one line of numbers.

use serde::Serialize;

use super::{BACKPRESSURE_SHARE_MAX, JobReport};

/// Sums over all instances; see `docs/api.md`.
#[derive(Clone, PartialEq, Default, Serialize, Debug)]
pub struct JobTotals {
    /// Records read per second, over the last ten seconds.
    pub records_per_s: f64,
    /// Rows written to Redis per second.
    pub rows_per_s: f64,
    /// Records read since the instances started.
    pub records: u64,
    /// Rows written to Redis.
    pub rows: u64,
    /// Events that were late for a view; once per view.
    pub late_events: u64,
    /// Records that were no events.
    pub dead_letters: u64,
    /// Rows that Redis refused.
    pub refused_rows: u64,
    /// Users with state.
    pub entities: u64,
    /// Records that wait in Kafka; absent while unknown.
    pub lag: Option<u64>,
    /// How long ago the record now being read was produced, at most how old the lag is.
    pub behind_ms: Option<i64>,
    /// The smallest watermark of the partitions that are not idle.
    pub watermark_ms: Option<i64>,
    /// Wall clock less that.
    pub watermark_delay_ms: Option<i64>,
    /// Partitions with an owner, and all.
    pub partitions_owned: usize,
    /// See [`Self::partitions_owned`].
    pub partitions: usize,
    /// Shares of the workers' time.
    pub busy: f64,
    /// See [`Self::too_many_requests`].
    pub idle: f64,
    /// See [`Self::too_many_requests`].
    pub backpressured: f64,
}

/// A job that is further behind than this, in milliseconds, does not keep up.
const KEEPING_UP_MAX_MS: i64 = 5_000;

impl JobTotals {
    /// Whether records are read as fast as they come, and Redis takes rows as fast as they are made.
    #[must_use]
    pub fn is_keeping_up(&self) -> bool {
        self.behind_ms.is_some_and(|behind| behind <= KEEPING_UP_MAX_MS) && self.backpressured <= BACKPRESSURE_SHARE_MAX
    }
}

impl JobReport {
    /// The sums.
    #[must_use]
    pub fn totals(&self) -> JobTotals {
        let all = self.partitions();
        let owned: Vec<_> = all.iter().filter_map(|partition| partition.owner).map(|(_, owned)| owned).collect();
        let workers = || self.instances.iter().flat_map(|one| &one.workers);
        let mut totals = JobTotals { partitions_owned: owned.len(), partitions: all.len(), ..JobTotals::default() };
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
        for one in &self.instances {
            totals.rows_per_s += one.redis.rows_per_s;
            totals.rows += one.redis.rows_written;
            totals.late_events += one.views.iter().map(|view| view.late_events).sum::<u64>();
        }
        totals.lag = owned.iter().filter_map(|partition| partition.lag).reduce(|a, b| a + b);
        totals.behind_ms = self.time_behind_ms(totals.lag);
        let active = owned.iter().filter(|partition| !partition.idle);
        let smallest = active.filter_map(|partition| partition.watermark_ms).min();
        totals.watermark_ms = smallest.or_else(|| owned.iter().filter_map(|partition| partition.watermark_ms).min());
        totals.watermark_delay_ms = totals.watermark_ms.map(|watermark| self.now_ms - watermark);
        totals
    }

    /// The age of the record read last, in the partition that lags most in time; no older than the last moment without lag.
    fn time_behind_ms(&self, lag: Option<u64>) -> Option<i64> {
        if lag? == 0 {
            return Some(0);
        }
        let lagging = self.owned_partitions().filter(|(_, partition)| partition.lag.is_some_and(|lag| lag > 0));
        let oldest = lagging.filter_map(|(_, partition)| partition.last_appended_ms.or(partition.event_time_ms)).min();
        let since = self.history().last_without_lag_ms();
        let behind = |since: i64| (self.now_ms - since).max(0);
        [oldest, since].into_iter().flatten().map(behind).min()
    }
}
