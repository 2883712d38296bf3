//! Histograms of durations, with buckets from a millisecond to a day.

use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of the buckets in milliseconds, ascending. An extra bucket counts the durations above the largest
/// bound.
const BUCKET_BOUNDS_MS: [u64; BOUND_COUNT] = [
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 86_400_000,
];
const BOUND_COUNT: usize = 25;
const BUCKET_COUNT: usize = BOUND_COUNT + 1;

/// Counts durations in buckets. Any thread may add durations and read the counts, without a lock.
#[derive(Debug, Default)]
pub struct Histogram {
    bucket_counts: [AtomicU64; BUCKET_COUNT],
    total_duration_ms: AtomicU64,
}

/// The counts of a histogram: either of all durations, or only of the durations that were added between two readings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistogramCounts {
    /// The number of durations per bucket. A bucket excludes its lower bound and includes its upper bound. The last
    /// bucket has no upper bound.
    pub bucket_counts: [u64; BUCKET_COUNT],
    /// The sum of all durations, in milliseconds.
    pub total_duration_ms: u64,
}

impl Histogram {
    /// Adds `times` durations of `ms` milliseconds each. A negative duration counts as 0. A duration can be negative if
    /// its start and its end come from two different clocks.
    pub fn observe(&self, ms: i64, times: u64) {
        let ms = u64::try_from(ms).unwrap_or(0);
        let bucket = BUCKET_BOUNDS_MS.partition_point(|&bound| bound < ms);
        self.bucket_counts[bucket].fetch_add(times, Ordering::Relaxed);
        self.total_duration_ms.fetch_add(ms.saturating_mul(times), Ordering::Relaxed);
    }

    /// Returns the current counts.
    #[must_use]
    pub fn read_counts(&self) -> HistogramCounts {
        HistogramCounts {
            bucket_counts: std::array::from_fn(|bucket| self.bucket_counts[bucket].load(Ordering::Relaxed)),
            total_duration_ms: self.total_duration_ms.load(Ordering::Relaxed),
        }
    }
}

impl HistogramCounts {
    /// Returns the upper bounds of all buckets but the last, in milliseconds. The last bucket has no upper bound.
    #[must_use]
    pub fn bucket_bounds_ms() -> &'static [u64] {
        &BUCKET_BOUNDS_MS
    }

    /// Returns the counts of the durations that were added after the counts in `earlier` were read.
    #[must_use]
    pub fn counted_since(&self, earlier: &Self) -> Self {
        Self {
            bucket_counts: std::array::from_fn(|bucket| {
                self.bucket_counts[bucket].saturating_sub(earlier.bucket_counts[bucket])
            }),
            total_duration_ms: self.total_duration_ms.saturating_sub(earlier.total_duration_ms),
        }
    }

    /// Returns the number of counted durations.
    #[must_use]
    pub fn total_count(&self) -> u64 {
        self.bucket_counts.iter().sum()
    }

    /// Returns an estimate of the quantile `q` of the durations, in milliseconds. `q` is a fraction from 0 to 1.
    /// Returns `None` if the histogram has counted no duration. The estimate assumes that durations are spread evenly
    /// within a bucket. A duration above the largest bound counts as this bound.
    #[must_use]
    pub fn estimate_quantile_ms(&self, q: f64) -> Option<f64> {
        let total = self.total_count();
        if total == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * total as f64;
        let mut below = 0;
        for (bucket, &count) in self.bucket_counts.iter().enumerate() {
            if count > 0 && (below + count) as f64 >= rank {
                let from = bucket.checked_sub(1).map_or(0.0, |before| BUCKET_BOUNDS_MS[before] as f64);
                let to = BUCKET_BOUNDS_MS.get(bucket).map_or(from, |&bound| bound as f64);
                return Some(from + (to - from) * ((rank - below as f64) / count as f64).clamp(0.0, 1.0));
            }
            below += count;
        }
        BUCKET_BOUNDS_MS.last().map(|&last| last as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count_durations(spans: &[i64]) -> HistogramCounts {
        let histogram = Histogram::default();
        spans.iter().for_each(|&ms| histogram.observe(ms, 1));
        histogram.read_counts()
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_a_negative_span_is_none() {
        assert_eq!(count_durations(&[-5, 0, 1]).bucket_counts[0], 3);
        assert_eq!(count_durations(&[2]).bucket_counts[1], 1);
        assert_eq!(count_durations(&[3, 5]).bucket_counts[2], 2);
        assert_eq!(count_durations(&[86_400_001]).bucket_counts[BOUND_COUNT], 1);
        assert_eq!(count_durations(&[-5, 7]).total_duration_ms, 7);
        assert_eq!(count_durations(&[]).estimate_quantile_ms(0.5), None);
        assert!(BUCKET_BOUNDS_MS.is_sorted());
    }

    #[test]
    fn what_was_before_does_not_count() {
        let histogram = Histogram::default();
        histogram.observe(40_000, 1_000);
        let earlier = histogram.read_counts();
        histogram.observe(30, 2);
        let lately = histogram.read_counts().counted_since(&earlier);
        assert_eq!((lately.total_count(), lately.total_duration_ms), (2, 60));
        assert!(lately.estimate_quantile_ms(0.99).is_some_and(|p99| p99 <= 50.0), "{lately:?}");
    }

    proptest! {
        /// The estimated quantile lies in the same bucket as the exact quantile.
        #[test]
        fn quantiles_are_right_up_to_a_bucket(mut spans in proptest::collection::vec(0..200_000_000_i64, 1..200), q in 0.0..=1.0_f64) {
            spans.sort_unstable();
            let quantile = count_durations(&spans).estimate_quantile_ms(q).expect("there are some");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank in bounds")]
            let rank = ((q * spans.len() as f64).ceil() as usize).clamp(1, spans.len());
            let exact = u64::try_from(spans[rank - 1]).expect("not negative");
            let bucket = BUCKET_BOUNDS_MS.partition_point(|&bound| bound < exact);
            let from = bucket.checked_sub(1).map_or(0.0, |before| BUCKET_BOUNDS_MS[before] as f64);
            let to = BUCKET_BOUNDS_MS.get(bucket).map_or(from, |&bound| bound as f64);
            prop_assert!((from..=to).contains(&quantile), "{quantile} is not between {from} and {to}");
        }

        #[test]
        fn quantiles_ascend(spans in proptest::collection::vec(-10..200_000_000_i64, 1..50)) {
            let counts = count_durations(&spans);
            let quantiles: Vec<_> = (0..=20).map(|q| counts.estimate_quantile_ms(f64::from(q) / 20.0)).collect();
            prop_assert!(quantiles.is_sorted(), "{quantiles:?}");
        }
    }
}
