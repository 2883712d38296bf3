//! The report of one feature view.

use serde::{Deserialize, Serialize};

/// The totals of one feature view over the instance's partitions. Counts begin when the instance starts.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ViewReport {
    /// The name of the view.
    pub name: String,
    /// The number of rows that fired.
    pub rows: u64,
    /// The number of rows that fired per second, over the last ten seconds.
    pub rows_per_s: f64,
    /// The number of events that were late for the view.
    pub late_events: u64,
    /// The number of users with state in the view.
    pub entities: u64,
}
