//! Metric families in a registry of `prometheus-client`. A family has a name, a help text and samples.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

use crate::report::DelayHistogramReport;

/// A value of a metric, with its labels.
#[derive(Debug)]
pub(super) struct MetricSample<V> {
    labels: Vec<(&'static str, String)>,
    value: V,
}

impl<V> MetricSample<V> {
    /// Creates a sample. Each label is a pair of the label's name and the label's value.
    pub(super) fn new<const N: usize>(labels: [(&'static str, String); N], value: V) -> Self {
        Self { labels: labels.into(), value }
    }
}

/// Creates a sample without labels, for a family with a single sample.
impl<V> From<V> for MetricSample<V> {
    fn from(value: V) -> Self {
        Self::new([], value)
    }
}

/// The samples of a family, in the order in which they are written. A family without samples is not written.
#[derive(Debug)]
struct FamilySamples<M>(Vec<MetricSample<M>>);

impl<M: EncodeMetric + TypedMetric> EncodeMetric for FamilySamples<M> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        self.0.iter().try_for_each(|sample| sample.value.encode(encoder.encode_family(&sample.labels)?))
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The values of a histogram.
#[derive(Debug)]
pub(super) struct HistogramSample {
    /// The upper bound of each bucket, with the number of values between the previous bound and this bound.
    pub(super) buckets: Vec<(f64, u64)>,
    /// The number of all values, including those above the last bound.
    pub(super) count: u64,
    /// The sum of all values.
    pub(super) sum: f64,
}

impl From<&DelayHistogramReport> for HistogramSample {
    fn from(report: &DelayHistogramReport) -> Self {
        let buckets = report.bucket_bounds_s.iter().copied().zip(report.bucket_counts.iter().copied());
        Self { buckets: buckets.collect(), count: report.bucket_counts.iter().sum(), sum: report.sum_s }
    }
}

impl EncodeMetric for HistogramSample {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Metric families in the order in which they were added.
#[derive(Default)]
pub(super) struct MetricFamilies(Registry);

impl MetricFamilies {
    /// Adds a family of counters: values that only grow while the process lives. The name must end with `_total`.
    pub(super) fn add_counter<V>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = MetricSample<V>>)
    where
        ConstCounter<V>: Metric,
    {
        // The encoder adds the suffix again.
        self.add_family(name.trim_end_matches("_total"), help, samples, ConstCounter::new);
    }

    /// Adds a family of gauges: values that go up and down.
    pub(super) fn add_gauge<V>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = MetricSample<V>>)
    where
        ConstGauge<V>: Metric,
    {
        self.add_family(name, help, samples, ConstGauge::new);
    }

    pub(super) fn add_histogram(&mut self, name: &str, help: &str, sample: impl Into<HistogramSample>) {
        self.register(name, help, sample.into());
    }

    /// Renders the families in Prometheus' text format.
    pub(super) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0)?;
        Ok(text)
    }

    fn add_family<V, M: Metric + TypedMetric>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = MetricSample<V>>,
        create_metric: fn(V) -> M,
    ) {
        let create = |MetricSample { labels, value }| MetricSample { labels, value: create_metric(value) };
        self.register(name, help, FamilySamples(samples.into_iter().map(create).collect()));
    }

    fn register(&mut self, name: &str, help: &str, metric: impl Metric) {
        // The registry adds the full stop again.
        self.0.register(name, help.trim_end_matches('.'), metric);
    }
}

/// Converts a count to a float, the number type of quotients. Counts above 2^53 are rounded.
pub(super) fn count_as_f64(n: u64) -> f64 {
    n as f64
}

/// Converts a duration or a Unix time from milliseconds to seconds.
pub(super) fn ms_as_seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
