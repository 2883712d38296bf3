//! A page of records as the Kafka UI gets it.

use serde::Serialize;

use crate::kafka::browse::records::{BrowsedRecord, PartitionPositions};

/// Records, and where they are.
#[derive(Clone, Debug, Serialize)]
pub struct RecordPage {
    /// In the order of reading: newest first when going back, oldest first otherwise.
    pub records: Vec<BrowsedRecord>,
    /// Whether the page leads towards older records.
    pub going_back: bool,
    /// Why there are no more records on this page.
    pub ended: PageEnd,
    /// Number of records examined.
    pub looked_at: u64,
    /// Number of offsets left to examine in this direction.
    pub left: i64,
    /// Going back from here leads to what is older than this page.
    pub older: PartitionPositions,
    /// Going forward from here leads to what is newer than this page.
    pub newer: PartitionPositions,
    /// Whether there is anything older.
    pub has_older: bool,
    /// Whether there was anything newer when the page was planned.
    pub has_newer: bool,
    /// A problem with the records that the user should see.
    pub trouble: Option<String>,
}

/// Why a page ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageEnd {
    /// The page is full.
    Full,
    /// There is nothing more in that direction.
    Edge,
    /// Time was up, or the request was cancelled; `older` and `newer` continue where reading stopped.
    Time,
    /// Something cannot be read.
    Trouble,
}
