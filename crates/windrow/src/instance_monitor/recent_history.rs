//! The history of the last hour in steps of ten seconds.
//!
//! Invariant: a step starts at a multiple of ten seconds of the wall clock, so that the steps of all instances align.

use std::collections::VecDeque;

use windrow_engine::HistogramCounts;
use windrow_web::report::HistorySample;

const HISTORY_STEP_MS: i64 = 10_000;
/// The number of steps in an hour.
const MAX_HISTORY_STEPS: usize = 360;

/// The progress and the delays of this process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProgressSample {
    /// The number of records read since the start of the process.
    pub(super) total_records_read: u64,
    /// The number of rows that fired since the start of the process.
    pub(super) total_fired_rows: u64,
    pub(super) total_lag_records: Option<u64>,
    pub(super) max_watermark_delay_ms: Option<i64>,
    /// Counts the rows since the start of the process by their age when Redis acknowledged them. A row's age counts
    /// from the Kafka timestamp of the record that made the row fire.
    pub(super) row_age_since_kafka_timestamp: HistogramCounts,
}

/// The last hour in steps of ten seconds.
#[derive(Debug, Default)]
pub(super) struct RecentHistory {
    /// The completed steps, oldest first.
    completed_steps: VecDeque<HistorySample>,
    unfinished_step: Option<UnfinishedStep>,
}

/// The current step of ten seconds, which is not complete yet.
#[derive(Debug)]
struct UnfinishedStep {
    starts_at_ms: i64,
    /// The last sample before this step.
    sample_before: ProgressSample,
    latest_sample: ProgressSample,
}

impl RecentHistory {
    /// Adds a sample that was taken at the epoch time `now_ms`.
    pub(super) fn add_sample(&mut self, now_ms: i64, now: ProgressSample) {
        let at_ms = now_ms.div_euclid(HISTORY_STEP_MS) * HISTORY_STEP_MS;
        match &mut self.unfinished_step {
            Some(step) if step.starts_at_ms == at_ms => step.latest_sample = now,
            Some(UnfinishedStep { starts_at_ms: before_ms, sample_before: first, latest_sample: last }) => {
                let append = last.row_age_since_kafka_timestamp.counted_since(&first.row_age_since_kafka_timestamp);
                self.completed_steps.push_back(HistorySample {
                    interval_start_ms: *before_ms,
                    records_read: last.total_records_read - first.total_records_read,
                    rows_fired: last.total_fired_rows - first.total_fired_rows,
                    lag: last.total_lag_records,
                    watermark_delay_ms: last.max_watermark_delay_ms,
                    freshness_p50_ms: append.estimate_quantile_ms(0.5),
                    freshness_p99_ms: append.estimate_quantile_ms(0.99),
                });
                self.unfinished_step =
                    Some(UnfinishedStep { starts_at_ms: at_ms, sample_before: *last, latest_sample: now });
                // If the clock was set back, remove the steps that would lie in the future.
                self.completed_steps.retain(|moment| moment.interval_start_ms < at_ms);
                let excess = self.completed_steps.len().saturating_sub(MAX_HISTORY_STEPS);
                self.completed_steps.drain(..excess);
            }
            None => {
                self.unfinished_step = Some(UnfinishedStep {
                    starts_at_ms: at_ms,
                    sample_before: ProgressSample::default(),
                    latest_sample: now,
                });
            }
        }
    }

    /// Returns the completed steps of ten seconds, oldest first.
    pub(super) fn completed_steps(&self) -> impl Iterator<Item = HistorySample> {
        self.completed_steps.iter().copied()
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
                ProgressSample { total_records_read: records, ..ProgressSample::default() },
            );
        }
        history.completed_steps().map(|moment| (moment.interval_start_ms, moment.records_read)).collect()
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
                ProgressSample {
                    total_lag_records: Some(lag),
                    max_watermark_delay_ms: Some(ms),
                    ..ProgressSample::default()
                },
            );
        }
        let moment = history.completed_steps().next().expect("one step is over");
        assert_eq!((moment.lag, moment.watermark_delay_ms), (Some(3), Some(9_000)));
    }
}
