//! The history of the last hour in steps of ten seconds.
//!
//! Invariant: a step starts at a multiple of ten seconds of the wall clock, so that the steps of all instances align.

use std::collections::VecDeque;

use windrow_engine::HistogramCounts;
use windrow_web::report::HistorySample;

const STEP_MS: i64 = 10_000;
/// The number of steps in an hour.
const MAX_HISTORY_STEPS: usize = 360;

/// Progress and delay of the job at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProgressSample {
    /// Records read since the start.
    pub(super) total_records: u64,
    /// Rows that fired since the start.
    pub(super) total_rows: u64,
    pub(super) total_lag: Option<u64>,
    pub(super) max_watermark_delay_ms: Option<i64>,
    /// Distribution of the time from Kafka's timestamp of a record to its row in Redis, since the start.
    pub(super) append_delay_counts: HistogramCounts,
}

/// The steps of the last hour.
#[derive(Debug, Default)]
pub(super) struct RecentHistory {
    /// Complete steps, oldest first.
    complete_steps: VecDeque<HistorySample>,
    open_step: Option<OpenStep>,
}

/// The step that is not complete yet.
#[derive(Debug)]
struct OpenStep {
    starts_at_ms: i64,
    /// The last sample before this step.
    sample_before: ProgressSample,
    latest_sample: ProgressSample,
}

impl RecentHistory {
    /// Adds a sample taken at `now_ms`.
    pub(super) fn add_sample(&mut self, now_ms: i64, now: ProgressSample) {
        let at_ms = now_ms.div_euclid(STEP_MS) * STEP_MS;
        match &mut self.open_step {
            Some(step) if step.starts_at_ms == at_ms => step.latest_sample = now,
            Some(OpenStep { starts_at_ms: before_ms, sample_before: first, latest_sample: last }) => {
                let append = last.append_delay_counts.counted_since(&first.append_delay_counts);
                self.complete_steps.push_back(HistorySample {
                    at_ms: *before_ms,
                    records: last.total_records - first.total_records,
                    rows: last.total_rows - first.total_rows,
                    lag: last.total_lag,
                    watermark_delay_ms: last.max_watermark_delay_ms,
                    freshness_p50_ms: append.estimate_quantile_ms(0.5),
                    freshness_p99_ms: append.estimate_quantile_ms(0.99),
                });
                self.open_step = Some(OpenStep { starts_at_ms: at_ms, sample_before: *last, latest_sample: now });
                // If the clock went back, steps after the new time are no longer valid.
                self.complete_steps.retain(|moment| moment.at_ms < at_ms);
                let excess = self.complete_steps.len().saturating_sub(MAX_HISTORY_STEPS);
                self.complete_steps.drain(..excess);
            }
            None => {
                self.open_step = Some(OpenStep {
                    starts_at_ms: at_ms,
                    sample_before: ProgressSample::default(),
                    latest_sample: now,
                });
            }
        }
    }

    /// Returns the complete steps, oldest first.
    pub(super) fn complete_steps(&self) -> impl Iterator<Item = HistorySample> {
        self.complete_steps.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: impl IntoIterator<Item = (i64, u64)>) -> Vec<(i64, u64)> {
        let mut history = RecentHistory::default();
        for (second, records) in seconds {
            history.add_sample(
                second * 1_000 + 300,
                ProgressSample { total_records: records, ..ProgressSample::default() },
            );
        }
        history.complete_steps().map(|moment| (moment.at_ms, moment.records)).collect()
    }

    #[test]
    fn a_step_begins_at_a_multiple_of_ten_seconds_and_nothing_is_lost_between_two() {
        assert_eq!(after([(7, 5)]), []);
        assert_eq!(after([(7, 5), (9, 8), (10, 9), (19, 20), (21, 50)]), [(0, 8), (10_000, 12)]);
        let each_second = after((3..64).map(|second| (second, 10 * u64::try_from(second).expect("small"))));
        assert_eq!(each_second[1..], [(10_000, 100), (20_000, 100), (30_000, 100), (40_000, 100), (50_000, 100)]);
    }

    #[test]
    fn an_hour_is_kept() {
        let moments = after((0..8_000).map(|second| (second, 0)));
        assert_eq!(moments.len(), MAX_HISTORY_STEPS);
        assert_eq!(moments.last().map(|(at_ms, _)| *at_ms), Some(7_980_000));
    }

    #[test]
    fn a_clock_that_goes_back_leaves_no_step_twice() {
        let moments = after([(5, 1), (15, 2), (25, 3), (12, 4), (22, 5), (31, 6)]);
        assert_eq!(moments.iter().map(|(at_ms, _)| *at_ms).collect::<Vec<_>>(), [0, 10_000, 20_000]);
    }

    #[test]
    fn what_stands_at_the_end_of_a_step_is_its_lag() {
        let mut history = RecentHistory::default();
        for (ms, lag) in [(1_000, 7), (9_000, 3), (11_000, 90)] {
            history.add_sample(
                ms,
                ProgressSample { total_lag: Some(lag), max_watermark_delay_ms: Some(ms), ..ProgressSample::default() },
            );
        }
        let moment = history.complete_steps().next().expect("one step is over");
        assert_eq!((moment.lag, moment.watermark_delay_ms), (Some(3), Some(9_000)));
    }
}
