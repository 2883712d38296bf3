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
    #[serde(rename = "ended")]
    pub end_reason: PageEndReason,
    /// The number of records examined.
    #[serde(rename = "looked_at")]
    pub examined_record_count: u64,
    /// The number of offsets that remain to be examined in the direction of reading.
    #[serde(rename = "left")]
    pub offsets_left: i64,
    /// The positions at which the page of the next older records begins.
    #[serde(rename = "older")]
    pub older_page_positions: PartitionPositions,
    /// The positions at which the page of the next newer records begins.
    #[serde(rename = "newer")]
    pub newer_page_positions: PartitionPositions,
    /// Whether any partition has offsets before the page.
    pub has_older: bool,
    /// Whether any partition had offsets after the page when the page was planned.
    pub has_newer: bool,
    /// A problem with the records, as a message for the user.
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
    /// The time limit was reached, or the request was cancelled. The next page continues where this one ended.
    Time,
    /// A batch of records cannot be read.
    #[serde(rename = "trouble")]
    Problem,
}
