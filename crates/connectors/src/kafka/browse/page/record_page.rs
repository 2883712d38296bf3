//! The page of records that the Kafka UI receives.

use serde::Serialize;

use crate::kafka::browse::records::{BrowsedRecord, PartitionPositions};

/// A page of records, with the positions at which the page of older records and the page of newer records begin.
#[derive(Clone, Debug, Serialize)]
pub struct RecordPage {
    /// The records. If the page was read towards older records, the newest record comes first, otherwise the oldest
    /// record.
    pub records: Vec<BrowsedRecord>,
    /// Whether the page was read towards older records.
    pub going_back: bool,
    /// The reason why the page has no more records.
    #[serde(rename = "ended")]
    pub end_reason: PageEndReason,
    /// The number of records that were read for this page, whether or not they contain the search text.
    #[serde(rename = "looked_at")]
    pub examined_record_count: u64,
    /// The number of offsets, over all partitions, that remain for later pages in the same direction.
    #[serde(rename = "left")]
    pub remaining_offset_count: i64,
    /// The page of older records contains only records before these positions.
    #[serde(rename = "older")]
    pub older_page_positions: PartitionPositions,
    /// The page of newer records contains only records at or after these positions.
    #[serde(rename = "newer")]
    pub newer_page_positions: PartitionPositions,
    /// Whether any partition has offsets before the page.
    pub has_older: bool,
    /// Whether any partition had offsets after the page when the page was planned.
    pub has_newer: bool,
    /// A message for the user if records could not be read; otherwise `None`.
    #[serde(rename = "trouble")]
    pub problem_message: Option<String>,
}

/// The reason why a page ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageEndReason {
    /// The page is full.
    Full,
    /// The partitions have no more offsets in the direction of reading.
    Edge,
    /// The time limit was reached, or the request was cancelled. The next page continues where this page ended.
    Time,
    /// A batch of records cannot be read.
    #[serde(rename = "trouble")]
    Problem,
}
