//! The page of records that the Kafka UI receives.

use serde::Serialize;

use crate::kafka::browse::records::{BrowsedRecord, PartitionPositions};

/// A page of records, with the positions of the older and the newer page.
#[derive(Clone, Debug, Serialize)]
pub struct RecordPage {
    /// The records in the order of reading: newest first towards older records, oldest first otherwise.
    pub records: Vec<BrowsedRecord>,
    /// Whether the page was read towards older records.
    pub going_back: bool,
    /// The reason why the page has no more records.
    pub ended: PageEnd,
    /// The number of records examined.
    pub looked_at: u64,
    /// The number of offsets that remain to be examined in this direction.
    pub left: i64,
    /// The positions at which the page of the next older records begins.
    pub older: PartitionPositions,
    /// The positions at which the page of the next newer records begins.
    pub newer: PartitionPositions,
    /// Whether any partition has older offsets.
    pub has_older: bool,
    /// Whether any partition had newer offsets when the page was planned.
    pub has_newer: bool,
    /// A problem with the records, as a message for the user.
    pub trouble: Option<String>,
}

/// The reason why a page ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageEnd {
    /// The page is full.
    Full,
    /// The partitions have no more offsets in that direction.
    Edge,
    /// The time limit was reached, or the request was cancelled. The pages at `older` and `newer` continue from there.
    Time,
    /// A batch of records cannot be read.
    Trouble,
}
