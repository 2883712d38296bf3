//! How fresh rows are: histograms of the delay from an event to the row that it fired.

use serde::{Deserialize, Serialize};

/// Histograms of the delays of rows. The delay of a row begins at the record whose arrival fired the row's window, and
/// ends when Redis acknowledges the row.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct FreshnessReport {
    /// The delay since the event time of the record that fired the window.
    #[serde(rename = "event_time")]
    pub delay_since_event_time: DelayHistogramReport,
    /// The delay since the Kafka timestamp of the record that fired the window.
    #[serde(rename = "append")]
    pub delay_since_kafka_timestamp: DelayHistogramReport,
}

/// A histogram of delays since the start of the instance, with quantiles of the last minute only.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct DelayHistogramReport {
    /// The upper bounds of the buckets, in seconds and ascending. The last bucket has no upper bound, so it is missing
    /// here.
    #[serde(rename = "bounds")]
    pub bucket_bounds_s: Vec<f64>,
    /// The number of delays in each bucket. A bucket holds the delays above the previous bound and up to its own. The
    /// list is one longer than the list of bounds.
    #[serde(rename = "counts")]
    pub bucket_counts: Vec<u64>,
    /// The sum of all delays, in seconds.
    #[serde(rename = "sum")]
    pub sum_s: f64,
    /// The median delay over the last minute, in milliseconds; absent if no rows were written.
    #[serde(rename = "p50_ms")]
    pub last_minute_p50_ms: Option<f64>,
    /// The 99th percentile of delays over the last minute, in milliseconds; absent if no rows were written.
    #[serde(rename = "p99_ms")]
    pub last_minute_p99_ms: Option<f64>,
}
