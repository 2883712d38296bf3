//! The request for a page of records.

use std::time::Duration;

use crate::kafka::browse::records::PartitionPositions;

/// The position at which a page begins, and the direction in which the page is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageStart {
    /// The page begins at the newest records and is read towards older records.
    Newest,
    /// The page begins at the oldest records that Kafka still holds. The page is read towards newer records.
    Oldest,
    /// The page begins at this offset of every requested partition and is read towards newer records.
    Offset(i64),
    /// The page begins at this timestamp, in epoch milliseconds, and is read towards newer records.
    Time(i64),
    /// The page begins before these positions and is read towards older records.
    Before(PartitionPositions),
    /// The page begins at these positions and is read towards newer records.
    After(PartitionPositions),
}

/// The parameters of a page: its beginning, its filter and its limits.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The position at which the page begins.
    pub start: PageStart,
    /// The only partition to read; `None` for all partitions.
    pub partition: Option<i32>,
    /// If given, the page contains only records with this text in their key, value or headers.
    pub search_text: Option<String>,
    /// The most records on the page.
    pub max_records: usize,
    /// The most bytes of a record's value that are returned. Longer values are truncated.
    pub max_value_bytes: usize,
    /// How long reading may take. After this time, the page ends even if it is not full.
    pub timeout: Duration,
}
