//! The report of one feature view.

use serde::{Deserialize, Serialize};

/// The totals of one feature view over all partitions of the instance. Counts begin when the instance starts.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ViewReport {
    /// The name of the view.
    pub name: String,
    /// The number of rows of the view that the workers passed to the Redis writer. A worker passes a row on when the
    /// row's window fires.
    #[serde(rename = "rows")]
    pub rows_fired: u64,
    /// The number of rows of the view that the workers passed to the Redis writer per second, averaged over the last
    /// ten seconds.
    #[serde(rename = "rows_per_s")]
    pub rows_fired_per_s: f64,
    /// The number of events that arrived after all their windows of the view had closed.
    #[serde(rename = "late_events")]
    pub late_event_count: u64,
    /// The number of these events that would not be late if the watermark had not followed the wall clock while their
    /// partition was idle.
    #[serde(rename = "late_after_idle")]
    pub late_after_idle_event_count: u64,
    /// The number of entities for which the view holds state.
    #[serde(rename = "entities")]
    pub entity_count: u64,
    /// The features with sums, in the order of the pipeline file.
    pub feature_overflows: Vec<FeatureOverflowReport>,
    /// The features with windows that may lack events, because the features were added or the windows became longer.
    pub incomplete_features: Vec<IncompleteFeatureReport>,
}

/// A feature with windows that may lack events.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct IncompleteFeatureReport {
    /// The name of the feature.
    #[serde(rename = "feature")]
    pub feature_name: String,
    /// The event time from which on windows are complete, in epoch milliseconds: the latest one of all partitions. Windows
    /// that start earlier may lack events.
    pub complete_from_ms: i64,
}

/// How often the sum of a feature has overflowed, since the instance started.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct FeatureOverflowReport {
    /// The name of the feature.
    #[serde(rename = "feature")]
    pub feature_name: String,
    /// The number of additions whose result did not fit.
    #[serde(rename = "overflows")]
    pub overflow_count: u64,
}
