//! The request for a page of records.

use std::time::Duration;

use crate::kafka::browse::records::PartitionPositions;

/// The position at which a page begins, and the direction in which it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageStart {
    /// The page begins at the newest records and reads towards older ones.
    Newest,
    /// The page begins at the oldest records that Kafka still holds and reads towards newer ones.
    Oldest,
    /// The page begins at this offset of every requested partition and reads towards newer records.
    Offset(i64),
    /// The page begins at this timestamp, in epoch milliseconds, and reads towards newer records.
    Time(i64),
    /// The page begins before these positions and reads towards older records.
    Before(PartitionPositions),
    /// The page begins at these positions and reads towards newer records.
    After(PartitionPositions),
}

/// The parameters of a page: its beginning, its filter and its limits.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The position at which the page begins.
    pub start: PageStart,
    /// The only partition to read; `None` for all partitions.
    pub partition: Option<i32>,
    /// A text that each record must contain in its key, value or headers.
    pub search_text: Option<String>,
    /// The most records on the page.
    pub records_max: usize,
    /// The most bytes of a value that are returned.
    pub value_bytes_max: usize,
    /// How long to search for records.
    pub timeout: Duration,
}
