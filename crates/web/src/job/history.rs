//! The last hour of a job, out of the last hours of its instances.

use std::collections::BTreeMap;

use serde::Serialize;

use super::JobReport;
use crate::report::HistorySample;

/// The length of a [`HistorySample`].
const STEP_MS: i64 = 10_000;
/// An hour of them.
const STEPS: i64 = 360;

/// Series of one length, oldest first; `None` where nothing is known.
#[derive(Clone, PartialEq, Default, Serialize, Debug)]
pub struct JobHistory {
    /// Between two values.
    pub step_ms: i64,
    /// When the first step begins.
    pub from_ms: i64,
    /// Records read per second.
    pub records_per_s: Vec<Option<f64>>,
    /// Rows fired per second.
    pub rows_per_s: Vec<Option<f64>>,
    /// Records that waited.
    pub lag: Vec<Option<u64>>,
    /// Wall clock less watermark, of the partition furthest behind.
    pub watermark_delay_ms: Vec<Option<i64>>,
    /// From Kafka to Redis; the worst instance's.
    pub freshness_p50_ms: Vec<Option<f64>>,
    /// See [`Self::freshness_p50_ms`].
    pub freshness_p99_ms: Vec<Option<f64>>,
}

impl JobReport {
    /// The last hour.
    #[must_use]
    pub fn history(&self) -> JobHistory {
        let mut moments: BTreeMap<i64, HistorySample> = BTreeMap::new();
        for moment in self.instances.iter().flat_map(|one| &one.history) {
            moments.entry(moment.at_ms).and_modify(|sum| add_sample(sum, moment)).or_insert(*moment);
        }
        // The newest step is still growing, where an instance reported in the middle of it: it is left out. Others tell of
        // a step some seconds after it is over.
        let heard_ms = if self.instances.len() > 1 { self.now_ms - STEP_MS } else { self.now_ms };
        let end = heard_ms.div_euclid(STEP_MS) * STEP_MS;
        let first = end - STEPS * STEP_MS;
        let Some((&from, _)) = moments.range(first..end).next() else {
            return JobHistory { step_ms: STEP_MS, from_ms: end, ..JobHistory::default() };
        };
        let mut history = JobHistory { step_ms: STEP_MS, from_ms: from, ..JobHistory::default() };
        let Some((&last, _)) = moments.range(first..end).next_back() else { return history };
        let mut at = from;
        while at <= last {
            let moment = moments.get(&at);
            history.records_per_s.push(moment.map(|moment| count_per_second(moment.records)));
            history.rows_per_s.push(moment.map(|moment| count_per_second(moment.rows)));
            history.lag.push(moment.and_then(|moment| moment.lag));
            history.watermark_delay_ms.push(moment.and_then(|moment| moment.watermark_delay_ms));
            history.freshness_p50_ms.push(moment.and_then(|moment| moment.freshness_p50_ms));
            history.freshness_p99_ms.push(moment.and_then(|moment| moment.freshness_p99_ms));
            at += STEP_MS;
        }
        history
    }
}

impl JobHistory {
    /// The end of the last step without lag.
    #[must_use]
    pub fn last_without_lag_ms(&self) -> Option<i64> {
        let step = self.lag.iter().rposition(|lag| *lag == Some(0))?;
        Some(self.from_ms + (i64::try_from(step).ok()? + 1) * self.step_ms)
    }
}

fn add_sample(sum: &mut HistorySample, other: &HistorySample) {
    sum.records += other.records;
    sum.rows += other.rows;
    sum.lag = [sum.lag, other.lag].into_iter().flatten().reduce(|a, b| a + b);
    sum.watermark_delay_ms = sum.watermark_delay_ms.max(other.watermark_delay_ms);
    sum.freshness_p50_ms = larger_quantile(sum.freshness_p50_ms, other.freshness_p50_ms);
    sum.freshness_p99_ms = larger_quantile(sum.freshness_p99_ms, other.freshness_p99_ms);
}

/// Quantiles of several instances cannot be put together; the worst is the one to look at.
pub(super) fn larger_quantile(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    [a, b].into_iter().flatten().reduce(f64::max)
}

#[allow(clippy::cast_precision_loss)] // a rate
fn count_per_second(count: u64) -> f64 {
    count as f64 * 1e3 / STEP_MS as f64
}
