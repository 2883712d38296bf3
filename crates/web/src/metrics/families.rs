//! Metrics as the encoder needs them: a family is a name, a help text and samples.
//!
//! Invariant: a family without samples is left out, because the text format cannot express it.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary};

use crate::report::HistogramReport;

/// A value with its labels.
pub(super) struct MetricSample {
    labels: Vec<LabelPair>,
    value: f64,
}

impl MetricSample {
    /// Returns `value` with the names and values of `labels`.
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

/// A value without labels is the only one of its family.
impl From<f64> for MetricSample {
    fn from(value: f64) -> Self {
        Self::new([], value)
    }
}

/// Families in the order they were added.
#[derive(Default)]
pub(super) struct MetricFamilies(Vec<MetricFamily>);

impl MetricFamilies {
    /// Adds values that only grow while the process lives.
    pub(super) fn counter(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = MetricSample>) {
        let metric = |sample: MetricSample| {
            let mut counter = Counter::default();
            counter.set_value(sample.value);
            let mut metric = Metric::from_label(sample.labels);
            metric.set_counter(counter);
            metric
        };
        self.add_family(name, help, MetricType::COUNTER, samples.into_iter().map(metric).collect());
    }

    /// Adds values that go up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = MetricSample>) {
        let metric = |sample: MetricSample| {
            let mut gauge = Gauge::default();
            gauge.set_value(sample.value);
            let mut metric = Metric::from_label(sample.labels);
            metric.set_gauge(gauge);
            metric
        };
        self.add_family(name, help, MetricType::GAUGE, samples.into_iter().map(metric).collect());
    }

    /// Adds a number of values and their sum.
    pub(super) fn summary(&mut self, name: &str, help: &str, count: u64, sum: f64) {
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(sum);
        let mut metric = Metric::default();
        metric.set_summary(summary);
        self.add_family(name, help, MetricType::SUMMARY, vec![metric]);
    }

    /// Adds a histogram. Prometheus' buckets hold all values up to their bound; those of the report only the values above the
    /// previous bound.
    pub(super) fn histogram(&mut self, name: &str, help: &str, report: &HistogramReport) {
        let mut count = 0;
        let bucket = |(&bound, &within): (&f64, &u64)| {
            count += within;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(report.bounds.iter().zip(&report.counts).map(bucket).collect());
        histogram.set_sample_count(report.counts.iter().sum());
        histogram.set_sample_sum(report.sum);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.add_family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    pub(super) fn all(&self) -> &[MetricFamily] {
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

/// Returns a count as the text format has it; beyond 2^53 it is rounded.
pub(super) fn count_as_f64(n: u64) -> f64 {
    n as f64
}

/// Returns milliseconds, or a time in milliseconds, in seconds.
pub(super) fn ms_as_seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
