//! Counts of durations in buckets, from a millisecond to a day.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds in milliseconds, ascending. Durations beyond the last have a bucket of their own.
const BOUNDS_MS: [u64; BOUND_COUNT] = [
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 86_400_000,
];
const BOUND_COUNT: usize = 25;
const BUCKET_COUNT: usize = BOUND_COUNT + 1;

/// Counts durations. Any thread may count and read, without a lock.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BUCKET_COUNT],
    sum_ms: AtomicU64,
}

/// The content of a histogram at one moment, or between two.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistogramCounts {
    /// How many durations were at most as long as each bound and longer than the one before; the last, longer than all.
    pub counts: [u64; BUCKET_COUNT],
    /// The sum of all durations, in milliseconds.
    pub sum_ms: u64,
}

impl Histogram {
    /// Counts `times` durations of `ms` milliseconds. A negative one, which two clocks that differ can give, counts as 0.
    pub fn observe(&self, ms: i64, times: u64) {
        let ms = u64::try_from(ms).unwrap_or(0);
        let bucket = BOUNDS_MS.partition_point(|&bound| bound < ms);
        self.counts[bucket].fetch_add(times, Ordering::Relaxed);
        self.sum_ms.fetch_add(ms.saturating_mul(times), Ordering::Relaxed);
    }

    /// Returns the content now.
    #[must_use]
    pub fn counts(&self) -> HistogramCounts {
        HistogramCounts {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            sum_ms: self.sum_ms.load(Ordering::Relaxed),
        }
    }
}

impl HistogramCounts {
    /// Returns the upper bounds of the buckets in milliseconds, except the last bucket's, which has none.
    #[must_use]
    pub fn bounds_ms() -> &'static [u64] {
        &BOUNDS_MS
    }

    /// Returns what was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            counts: std::array::from_fn(|bucket| self.counts[bucket].saturating_sub(earlier.counts[bucket])),
            sum_ms: self.sum_ms.saturating_sub(earlier.sum_ms),
        }
    }

    /// Returns how many durations were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Estimates the duration in milliseconds that the share `q` of all does not exceed, as if durations were spread evenly
    /// within a bucket. Returns `None` without any. A duration beyond all bounds counts as the last bound.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // an estimate
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * total as f64;
        let mut below = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            if count > 0 && (below + count) as f64 >= rank {
                let from = bucket.checked_sub(1).map_or(0.0, |before| BOUNDS_MS[before] as f64);
                let to = BOUNDS_MS.get(bucket).map_or(from, |&bound| bound as f64);
                return Some(from + (to - from) * ((rank - below as f64) / count as f64).clamp(0.0, 1.0));
            }
            below += count;
        }
        BOUNDS_MS.last().map(|&last| last as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count_durations(spans: &[i64]) -> HistogramCounts {
        let histogram = Histogram::default();
        spans.iter().for_each(|&ms| histogram.observe(ms, 1));
        histogram.counts()
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_a_negative_span_is_none() {
        assert_eq!(count_durations(&[-5, 0, 1]).counts[0], 3);
        assert_eq!(count_durations(&[2]).counts[1], 1);
        assert_eq!(count_durations(&[3, 5]).counts[2], 2);
        assert_eq!(count_durations(&[86_400_001]).counts[BOUND_COUNT], 1);
        assert_eq!(count_durations(&[-5, 7]).sum_ms, 7);
        assert_eq!(count_durations(&[]).quantile_ms(0.5), None);
        assert!(BOUNDS_MS.is_sorted());
    }

    #[test]
    fn what_was_before_does_not_count() {
        let histogram = Histogram::default();
        histogram.observe(40_000, 1_000);
        let earlier = histogram.counts();
        histogram.observe(30, 2);
        let lately = histogram.counts().since(&earlier);
        assert_eq!((lately.total(), lately.sum_ms), (2, 60));
        assert!(lately.quantile_ms(0.99).is_some_and(|p99| p99 <= 50.0), "{lately:?}");
    }

    proptest! {
        /// A quantile lies in the bucket of the span that has that rank.
        #[test]
        fn quantiles_are_right_up_to_a_bucket(mut spans in proptest::collection::vec(0..200_000_000_i64, 1..200), q in 0.0..=1.0_f64) {
            spans.sort_unstable();
            let quantile = count_durations(&spans).quantile_ms(q).expect("there are some");
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let rank = ((q * spans.len() as f64).ceil() as usize).clamp(1, spans.len());
            let exact = u64::try_from(spans[rank - 1]).expect("not negative");
            let bucket = BOUNDS_MS.partition_point(|&bound| bound < exact);
            #[allow(clippy::cast_precision_loss)]
            let from = bucket.checked_sub(1).map_or(0.0, |before| BOUNDS_MS[before] as f64);
            #[allow(clippy::cast_precision_loss)]
            let to = BOUNDS_MS.get(bucket).map_or(from, |&bound| bound as f64);
            prop_assert!((from..=to).contains(&quantile), "{quantile} is not between {from} and {to}");
        }

        #[test]
        fn quantiles_ascend(spans in proptest::collection::vec(-10..200_000_000_i64, 1..50)) {
            let counts = count_durations(&spans);
            let quantiles: Vec<_> = (0..=20).map(|q| counts.quantile_ms(f64::from(q) / 20.0)).collect();
            prop_assert!(quantiles.is_sorted(), "{quantiles:?}");
        }
    }
}
