//! The report of one feature view.

use serde::{Deserialize, Serialize};

/// The totals of one feature view over all partitions of the instance. Counts begin when the instance starts.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ViewReport {
    /// The name of the view.
    pub name: String,
    /// The number of rows that resulted from windows of the view when these windows fired.
    #[serde(rename = "rows")]
    pub rows_fired: u64,
    /// The number of rows per second that resulted from windows of the view, averaged over the last ten seconds.
    #[serde(rename = "rows_per_s")]
    pub rows_fired_per_s: f64,
    /// The number of events that were late for the view.
    #[serde(rename = "late_events")]
    pub late_event_count: u64,
    /// The number of users for whom the view holds state.
    #[serde(rename = "entities")]
    pub entity_count: u64,
}
