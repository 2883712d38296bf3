//! The last hour of a job as time series over all instances.

use std::collections::BTreeMap;

use serde::Serialize;

use super::job_report::JobReport;
use crate::report::HistorySample;

/// The length of a history step, in milliseconds. One [`HistorySample`] describes one step of one instance.
const HISTORY_STEP_MS: i64 = 10_000;
/// The number of history steps in an hour.
const HISTORY_STEP_COUNT: i64 = 360;

/// The last hour of a job: time series of equal length. Each series begins with the oldest value. `None` stands for an
/// unknown value.
#[derive(Clone, PartialEq, Default, Serialize, Debug)]
pub struct JobHistory {
    /// The time between two consecutive values of a series, in milliseconds.
    pub step_ms: i64,
    /// The beginning of the first step, in milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// The number of records read per second.
    pub records_per_s: Vec<Option<f64>>,
    /// The number of rows that windows produced per second.
    pub rows_per_s: Vec<Option<f64>>,
    /// The lag in records.
    pub lag: Vec<Option<u64>>,
    /// The wall clock minus the watermark, in milliseconds: the largest value over all partitions.
    pub watermark_delay_ms: Vec<Option<i64>>,
    /// The median of the delay from Kafka to Redis, in milliseconds. Each instance has its own median; the series
    /// contains the largest.
    pub freshness_p50_ms: Vec<Option<f64>>,
    /// The 99th percentile of the delay from Kafka to Redis, in milliseconds. Each instance has its own percentile; the
    /// series contains the largest.
    pub freshness_p99_ms: Vec<Option<f64>>,
}

impl JobReport {
    /// Returns the history of the last hour.
    #[must_use]
    pub fn build_job_history(&self) -> JobHistory {
        let mut sums: BTreeMap<i64, HistorySample> = BTreeMap::new();
        for sample in self.instances.iter().flat_map(|instance| &instance.history) {
            sums.entry(sample.interval_start_ms).and_modify(|sum| add_sample(sum, sample)).or_insert(*sample);
        }
        // The current step is omitted, because it is incomplete. With several instances, the previous step is also
        // omitted, because the reports of other instances are some seconds old.
        let reported_until_ms =
            if self.instances.len() > 1 { self.assembled_at_ms - HISTORY_STEP_MS } else { self.assembled_at_ms };
        let end = reported_until_ms.div_euclid(HISTORY_STEP_MS) * HISTORY_STEP_MS;
        let hour = end - HISTORY_STEP_COUNT * HISTORY_STEP_MS..end;
        let (Some((&from_ms, _)), Some((&last_ms, _))) =
            (sums.range(hour.clone()).next(), sums.range(hour).next_back())
        else {
            return JobHistory { step_ms: HISTORY_STEP_MS, from_ms: end, ..JobHistory::default() };
        };
        let mut history = JobHistory { step_ms: HISTORY_STEP_MS, from_ms, ..JobHistory::default() };
        let mut at_ms = from_ms;
        while at_ms <= last_ms {
            history.push(sums.get(&at_ms));
            at_ms += HISTORY_STEP_MS;
        }
        history
    }
}

impl JobHistory {
    /// Returns the end of the last history step in which the job had no lag, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn last_moment_without_lag_ms(&self) -> Option<i64> {
        let step = self.lag.iter().rposition(|lag| *lag == Some(0))?;
        Some(self.from_ms + (i64::try_from(step).ok()? + 1) * self.step_ms)
    }

    fn push(&mut self, sample: Option<&HistorySample>) {
        self.records_per_s.push(sample.map(|sample| step_rate_per_second(sample.records_read)));
        self.rows_per_s.push(sample.map(|sample| step_rate_per_second(sample.rows_fired)));
        self.lag.push(sample.and_then(|sample| sample.lag));
        self.watermark_delay_ms.push(sample.and_then(|sample| sample.watermark_delay_ms));
        self.freshness_p50_ms.push(sample.and_then(|sample| sample.freshness_p50_ms));
        self.freshness_p99_ms.push(sample.and_then(|sample| sample.freshness_p99_ms));
    }
}

fn add_sample(sum: &mut HistorySample, other: &HistorySample) {
    sum.records_read += other.records_read;
    sum.rows_fired += other.rows_fired;
    sum.lag = [sum.lag, other.lag].into_iter().flatten().reduce(|a, b| a + b);
    sum.watermark_delay_ms = sum.watermark_delay_ms.max(other.watermark_delay_ms);
    sum.freshness_p50_ms = larger_quantile(sum.freshness_p50_ms, other.freshness_p50_ms);
    sum.freshness_p99_ms = larger_quantile(sum.freshness_p99_ms, other.freshness_p99_ms);
}

/// Returns the larger of two instances' quantiles, because the true quantile over both instances is unknown.
pub(super) fn larger_quantile(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    [a, b].into_iter().flatten().reduce(f64::max)
}

fn step_rate_per_second(count: u64) -> f64 {
    count as f64 * 1e3 / HISTORY_STEP_MS as f64
}
