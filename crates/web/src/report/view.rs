//! The report of one feature view.

use serde::{Deserialize, Serialize};

/// One feature view, over the instance's partitions. Counts are since the start.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ViewReport {
    /// The name of the view.
    pub name: String,
    /// Rows that fired.
    pub rows: u64,
    /// Rows per second, over the last ten seconds.
    pub rows_per_s: f64,
    /// Events that were late for the view.
    pub late_events: u64,
    /// Users with state in the view.
    pub entities: u64,
}
