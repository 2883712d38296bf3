//! Rates and recent quantiles, computed from samples of counters.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use windrow_engine::HistogramCounts;

use super::counter_values::CounterValues;
use crate::units::{count_as_f64, fractional_milliseconds};

/// The time over which rates are computed.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// The time over which quantiles are computed.
const QUANTILE_WINDOW: Duration = Duration::from_secs(60);

/// The counters at one moment.
#[derive(Clone, Debug)]
pub(super) struct CounterSample {
    pub(super) at: Instant,
    pub(super) counts: CounterValues,
}

/// Two samples whose difference is wanted.
struct SampleInterval<'a> {
    newest: &'a CounterSample,
    before: &'a CounterSample,
}

/// The samples of the last minute, oldest first.
#[derive(Debug, Default)]
pub(super) struct RateSamples(VecDeque<CounterSample>);

impl RateSamples {
    pub(super) fn add_sample(&mut self, sample: CounterSample) {
        // Keep one sample that is older than a minute, to compare with.
        while self.0.get(1).is_some_and(|second| sample.at - second.at >= QUANTILE_WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// Returns the newest sample, and the newest of those at least `age` older or else the oldest.
    fn last_interval(&self, age: Duration) -> Option<SampleInterval<'_>> {
        let newest = self.0.back()?;
        let before = self.0.iter().rev().find(|sample| newest.at - sample.at >= age).or(self.0.front())?;
        Some(SampleInterval { newest, before })
    }

    /// Returns the growth of `count` per second over the last ten seconds.
    pub(super) fn rate_per_second(&self, count: impl Fn(&CounterValues) -> f64) -> f64 {
        let Some(SampleInterval { newest, before }) = self.last_interval(RATE_WINDOW) else { return 0.0 };
        let seconds = (newest.at - before.at).as_secs_f64();
        if seconds > 0.0 { (count(&newest.counts) - count(&before.counts)).max(0.0) / seconds } else { 0.0 }
    }

    /// Returns what a histogram counted over the last minute.
    pub(super) fn histogram_of_last_minute(
        &self,
        histogram: impl Fn(&CounterValues) -> &HistogramCounts,
    ) -> HistogramCounts {
        self.last_interval(QUANTILE_WINDOW)
            .map_or_else(HistogramCounts::default, |SampleInterval { newest, before }| {
                histogram(&newest.counts).since(histogram(&before.counts))
            })
    }

    /// Returns the mean duration of transactions over the last ten seconds, or `None` without any.
    pub(super) fn mean_transaction_ms(&self) -> Option<f64> {
        let SampleInterval { newest, before } = self.last_interval(RATE_WINDOW)?;
        let transactions = newest.counts.transactions - before.counts.transactions;
        let took = newest.counts.transaction_time.saturating_sub(before.counts.transaction_time);
        (transactions > 0).then(|| fractional_milliseconds(took) / count_as_f64(transactions))
    }
}

#[cfg(test)]
mod tests {
    use super::super::counter_values::FreshnessCounts;
    use super::*;

    fn rates(rows: impl IntoIterator<Item = (u64, u64)>) -> RateSamples {
        let (start, mut rates) = (Instant::now(), RateSamples::default());
        for (second, rows_written) in rows {
            let counts = CounterValues { rows_written, transactions: rows_written, ..CounterValues::default() };
            rates.add_sample(CounterSample { at: start + Duration::from_secs(second), counts });
        }
        rates
    }

    fn per_second(rates: &RateSamples) -> f64 {
        rates.rate_per_second(|counts| count_as_f64(counts.rows_written))
    }

    #[test]
    fn a_rate_is_that_of_the_last_ten_seconds() {
        assert_eq!(per_second(&rates([])), 0.0);
        assert_eq!(per_second(&rates([(0, 50)])), 0.0);
        assert_eq!(per_second(&rates([(0, 0), (1, 30), (2, 100)])), 50.0);
        // A thousand at first, then ten per second.
        assert_eq!(per_second(&rates((0..40).map(|second| (second, 1_000 + 10 * second)))), 10.0);
        // A burst has no effect after ten seconds.
        assert_eq!(per_second(&rates((0..30).map(|second| (second, if second < 19 { 0 } else { 500 })))), 0.0);
        assert_eq!(per_second(&rates((0..29).map(|second| (second, if second < 19 { 0 } else { 500 })))), 50.0);
    }

    #[test]
    fn no_more_than_a_minute_is_remembered() {
        let rates = rates((0..1_000).map(|second| (second, second)));
        assert_eq!(rates.0.len(), 61);
        assert_eq!(rates.mean_transaction_ms(), Some(0.0));
    }

    #[test]
    fn quantiles_are_those_of_the_last_minute() {
        let (start, mut rates) = (Instant::now(), RateSamples::default());
        let histogram = windrow_engine::Histogram::default();
        for second in 0..200_u64 {
            histogram.observe(if second < 100 { 80_000 } else { 40 }, 5);
            let counts = CounterValues {
                freshness: FreshnessCounts { since_append: histogram.counts(), ..FreshnessCounts::default() },
                ..CounterValues::default()
            };
            rates.add_sample(CounterSample { at: start + Duration::from_secs(second), counts });
        }
        let lately = rates.histogram_of_last_minute(|counts| &counts.freshness.since_append);
        assert_eq!(lately.total(), 300);
        assert!(lately.quantile_ms(0.99).is_some_and(|p99| p99 <= 50.0), "{lately:?}");
    }
}
