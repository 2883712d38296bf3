//! Delays from an event to its row in Redis.

use serde::{Deserialize, Serialize};

/// Delays of rows. Each row counts from the record whose arrival made its window fire.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct FreshnessReport {
    /// From the record's event time to Redis.
    pub event_time: HistogramReport,
    /// From the record's Kafka timestamp to Redis.
    pub append: HistogramReport,
}

/// A histogram since the start, and its recent quantiles.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistogramReport {
    /// Upper bounds in seconds, ascending, without +∞.
    pub bounds: Vec<f64>,
    /// Values above the previous bound and at or below this one. One more than bounds: the last has no upper bound.
    pub counts: Vec<u64>,
    /// The sum in seconds.
    pub sum: f64,
    /// The median over the last minute, in milliseconds; absent without rows.
    pub p50_ms: Option<f64>,
    /// The 99th percentile over the last minute, in milliseconds; absent without rows.
    pub p99_ms: Option<f64>,
}
