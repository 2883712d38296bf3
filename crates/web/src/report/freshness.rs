//! Delays between an event and its row in Redis.

use serde::{Deserialize, Serialize};

/// Histograms of the delays of rows. A delay begins at the record whose arrival fired the row's window.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct FreshnessReport {
    /// The delay from the event time of the record to the write to Redis.
    pub event_time: HistogramReport,
    /// The delay from the Kafka timestamp of the record to the write to Redis.
    pub append: HistogramReport,
}

/// A histogram since the start of the instance, and quantiles of the last minute.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistogramReport {
    /// The upper bounds of the buckets in seconds, ascending, without +∞.
    pub bounds: Vec<f64>,
    /// The number of values in each bucket: above the previous bound, and at or below the bucket's own. The additional
    /// last bucket has no upper bound.
    pub counts: Vec<u64>,
    /// The sum of all values, in seconds.
    pub sum: f64,
    /// The median over the last minute, in milliseconds; absent without rows.
    pub p50_ms: Option<f64>,
    /// The 99th percentile over the last minute, in milliseconds; absent without rows.
    pub p99_ms: Option<f64>,
}
