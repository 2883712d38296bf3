//! Metric families for Prometheus' text encoder. A family has a name, a help text and samples.
//!
//! Invariant: a family has at least one sample, because the text format cannot represent a family without samples.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary};

use crate::report::DelayHistogramReport;

/// A value of a metric, with its labels.
pub(super) struct MetricSample {
    labels: Vec<LabelPair>,
    value: f64,
}

impl MetricSample {
    /// Creates a sample. Each label is a pair of the label's name and the label's value.
    pub(super) fn new<const N: usize>(labels: [(&str, String); N], value: f64) -> Self {
        let pair = |(name, value): (&str, String)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value);
            pair
        };
        Self { labels: labels.into_iter().map(pair).collect(), value }
    }
}

/// Creates a sample without labels, for a family with a single sample.
impl From<f64> for MetricSample {
    fn from(value: f64) -> Self {
        Self::new([], value)
    }
}

/// Metric families in the order in which they were added.
#[derive(Default)]
pub(super) struct MetricFamilies(Vec<MetricFamily>);

impl MetricFamilies {
    /// Adds a family of counters: values that only grow while the process lives.
    pub(super) fn add_counter(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = MetricSample>) {
        let metric = |sample: MetricSample| {
            let mut counter = Counter::default();
            counter.set_value(sample.value);
            let mut metric = Metric::from_label(sample.labels);
            metric.set_counter(counter);
            metric
        };
        self.add_family(name, help, MetricType::COUNTER, samples.into_iter().map(metric).collect());
    }

    /// Adds a family of gauges: values that go up and down.
    pub(super) fn add_gauge(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = MetricSample>) {
        let metric = |sample: MetricSample| {
            let mut gauge = Gauge::default();
            gauge.set_value(sample.value);
            let mut metric = Metric::from_label(sample.labels);
            metric.set_gauge(gauge);
            metric
        };
        self.add_family(name, help, MetricType::GAUGE, samples.into_iter().map(metric).collect());
    }

    /// Adds a summary without quantiles. It consists of the number of values and the sum of the values.
    pub(super) fn add_summary(&mut self, name: &str, help: &str, count: u64, sum: f64) {
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(sum);
        let mut metric = Metric::default();
        metric.set_summary(summary);
        self.add_family(name, help, MetricType::SUMMARY, vec![metric]);
    }

    /// Adds a histogram. A bucket in `report` counts only the values between the bounds of the previous bucket and this
    /// bucket. A bucket in Prometheus counts all values up to its bound. So each bucket in Prometheus gets its own
    /// count in `report`, plus the counts of all previous buckets.
    pub(super) fn add_histogram(&mut self, name: &str, help: &str, report: &DelayHistogramReport) {
        let mut count = 0;
        let bucket = |(&bound, &within): (&f64, &u64)| {
            count += within;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(report.bucket_bounds_s.iter().zip(&report.bucket_counts).map(bucket).collect());
        histogram.set_sample_count(report.bucket_counts.iter().sum());
        histogram.set_sample_sum(report.sum_s);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.add_family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    pub(super) fn as_slice(&self) -> &[MetricFamily] {
        &self.0
    }

    fn add_family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

/// Converts a count to a float, the number type of the text format. Counts above 2^53 are rounded.
pub(super) fn count_as_f64(n: u64) -> f64 {
    n as f64
}

/// Converts a duration or a Unix time from milliseconds to seconds.
pub(super) fn ms_as_seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
