//! Computes rates and recent quantiles from samples of counters.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use windrow_engine::HistogramCounts;

use super::counter_values::CounterValues;
use crate::number_conversions::{count_as_f64, fractional_milliseconds};

/// The length of the interval over which rates are computed.
const RATE_INTERVAL_LENGTH: Duration = Duration::from_secs(10);
/// The length of the interval over which quantiles are computed.
const QUANTILE_INTERVAL_LENGTH: Duration = Duration::from_secs(60);

/// The values of all counters at one moment.
#[derive(Clone, Debug)]
pub(super) struct CounterSample {
    pub(super) taken_at: Instant,
    pub(super) counter_values: CounterValues,
}

/// The newest sample and an older one. A rate or quantile describes the time between these two samples.
struct SampleInterval<'a> {
    newest_sample: &'a CounterSample,
    older_sample: &'a CounterSample,
}

/// The counter samples of the last minute, oldest first.
#[derive(Debug, Default)]
pub(super) struct RateSamples(VecDeque<CounterSample>);

impl RateSamples {
    pub(super) fn add_sample(&mut self, sample: CounterSample) {
        // Keep one sample that is at least a minute old. The interval of the last minute begins with this sample.
        while self.0.get(1).is_some_and(|second| sample.taken_at - second.taken_at >= QUANTILE_INTERVAL_LENGTH) {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// Returns the shortest interval that lasts at least `length` and ends with the newest sample. If all samples
    /// together cover less time, the interval begins with the oldest sample. Returns `None` if there is no sample.
    fn newest_interval_of_length(&self, length: Duration) -> Option<SampleInterval<'_>> {
        let newest = self.0.back()?;
        let before =
            self.0.iter().rev().find(|sample| newest.taken_at - sample.taken_at >= length).or(self.0.front())?;
        Some(SampleInterval { newest_sample: newest, older_sample: before })
    }

    /// Returns the growth per second of the counter that `count` reads, as the mean over the last ten seconds.
    pub(super) fn rate_per_second(&self, count: impl Fn(&CounterValues) -> f64) -> f64 {
        let Some(SampleInterval { newest_sample: newest, older_sample: before }) =
            self.newest_interval_of_length(RATE_INTERVAL_LENGTH)
        else {
            return 0.0;
        };
        let seconds = (newest.taken_at - before.taken_at).as_secs_f64();
        if seconds > 0.0 {
            (count(&newest.counter_values) - count(&before.counter_values)).max(0.0) / seconds
        } else {
            0.0
        }
    }

    /// Returns a copy of the histogram that `histogram` selects, with only the values that were observed in the last
    /// minute.
    pub(super) fn histogram_of_last_minute(
        &self,
        histogram: impl Fn(&CounterValues) -> &HistogramCounts,
    ) -> HistogramCounts {
        self.newest_interval_of_length(QUANTILE_INTERVAL_LENGTH).map_or_else(
            HistogramCounts::default,
            |SampleInterval { newest_sample: newest, older_sample: before }| {
                histogram(&newest.counter_values).counted_since(histogram(&before.counter_values))
            },
        )
    }

    /// Returns the mean duration in milliseconds of the Redis transactions in the last ten seconds. Returns `None` if
    /// there was no transaction.
    pub(super) fn recent_mean_transaction_ms(&self) -> Option<f64> {
        let SampleInterval { newest_sample: newest, older_sample: before } =
            self.newest_interval_of_length(RATE_INTERVAL_LENGTH)?;
        let transactions =
            newest.counter_values.redis_transaction_count - before.counter_values.redis_transaction_count;
        let took = newest
            .counter_values
            .total_redis_transaction_time
            .saturating_sub(before.counter_values.total_redis_transaction_time);
        (transactions > 0).then(|| fractional_milliseconds(took) / count_as_f64(transactions))
    }
}

#[cfg(test)]
mod tests {
    use super::super::counter_values::FreshnessHistograms;
    use super::*;

    fn rates(rows: impl IntoIterator<Item = (u64, u64)>) -> RateSamples {
        let (start, mut rates) = (Instant::now(), RateSamples::default());
        for (second, rows_written) in rows {
            let counts = CounterValues {
                rows_written_to_redis: rows_written,
                redis_transaction_count: rows_written,
                ..CounterValues::default()
            };
            rates.add_sample(CounterSample { taken_at: start + Duration::from_secs(second), counter_values: counts });
        }
        rates
    }

    fn per_second(rates: &RateSamples) -> f64 {
        rates.rate_per_second(|counts| count_as_f64(counts.rows_written_to_redis))
    }

    #[test]
    fn a_rate_is_that_of_the_last_ten_seconds() {
        assert_eq!(per_second(&rates([])), 0.0);
        assert_eq!(per_second(&rates([(0, 50)])), 0.0);
        assert_eq!(per_second(&rates([(0, 0), (1, 30), (2, 100)])), 50.0);
        // The count starts at 1,000 and grows by 10 per second. The start value has no effect on the rate.
        assert_eq!(per_second(&rates((0..40).map(|second| (second, 1_000 + 10 * second)))), 10.0);
        // The count grows by 500 in second 19. This growth has no effect on the rate in second 29, but still has one in
        // second 28.
        assert_eq!(per_second(&rates((0..30).map(|second| (second, if second < 19 { 0 } else { 500 })))), 0.0);
        assert_eq!(per_second(&rates((0..29).map(|second| (second, if second < 19 { 0 } else { 500 })))), 50.0);
    }

    #[test]
    fn no_more_than_a_minute_is_remembered() {
        let rates = rates((0..1_000).map(|second| (second, second)));
        assert_eq!(rates.0.len(), 61);
        assert_eq!(rates.recent_mean_transaction_ms(), Some(0.0));
    }

    #[test]
    fn quantiles_are_those_of_the_last_minute() {
        let (start, mut rates) = (Instant::now(), RateSamples::default());
        let histogram = windrow_engine::Histogram::default();
        for second in 0..200_u64 {
            histogram.observe(if second < 100 { 80_000 } else { 40 }, 5);
            let counts = CounterValues {
                freshness_histograms: FreshnessHistograms {
                    row_age_since_kafka_timestamp: histogram.read_counts(),
                    ..FreshnessHistograms::default()
                },
                ..CounterValues::default()
            };
            rates.add_sample(CounterSample { taken_at: start + Duration::from_secs(second), counter_values: counts });
        }
        let lately =
            rates.histogram_of_last_minute(|counts| &counts.freshness_histograms.row_age_since_kafka_timestamp);
        assert_eq!(lately.total_count(), 300);
        assert!(lately.estimate_quantile_ms(0.99).is_some_and(|p99| p99 <= 50.0), "{lately:?}");
    }
}
