//! How long rows take to reach Redis, as histograms of delays.

use serde::{Deserialize, Serialize};

/// Two histograms of how long rows take to reach Redis. The delay of a row begins at the event time, or at the Kafka
/// timestamp, of the record that made the row's window fire. The delay ends when Redis acknowledges the row.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct FreshnessReport {
    /// The delays that begin at the event time of the record that made the row's window fire.
    #[serde(rename = "event_time")]
    pub delay_since_event_time: DelayHistogramReport,
    /// The delays that begin at the Kafka timestamp of the record that made the row's window fire.
    #[serde(rename = "append")]
    pub delay_since_kafka_timestamp: DelayHistogramReport,
}

/// A histogram of all delays that were measured since the instance started. The quantiles cover only the last minute.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct DelayHistogramReport {
    /// The upper bounds of the buckets, in seconds, in ascending order. The list contains no bound for the last bucket,
    /// because the last bucket has no upper bound.
    #[serde(rename = "bounds")]
    pub bucket_bounds_s: Vec<f64>,
    /// The number of delays in each bucket. A bucket counts the delays above the previous bucket's upper bound and up
    /// to its own upper bound. This list is one item longer than the list of upper bounds.
    #[serde(rename = "counts")]
    pub bucket_counts: Vec<u64>,
    /// The sum of all delays, in seconds.
    #[serde(rename = "sum")]
    pub sum_s: f64,
    /// The median delay of the rows written in the last minute, in milliseconds; absent if no rows were written.
    #[serde(rename = "p50_ms")]
    pub last_minute_p50_ms: Option<f64>,
    /// The 99th percentile of the delays of the rows written in the last minute, in milliseconds; absent if no rows
    /// were written.
    #[serde(rename = "p99_ms")]
    pub last_minute_p99_ms: Option<f64>,
}
