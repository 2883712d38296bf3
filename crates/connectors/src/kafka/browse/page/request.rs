//! The request for a page of records.

use std::time::Duration;

use crate::kafka::browse::records::PartitionPositions;

/// The position at which a page begins. It also determines the direction of reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageStart {
    /// At the newest records, towards older records.
    Newest,
    /// At the oldest records that Kafka still holds, towards newer records.
    Oldest,
    /// At this offset of every requested partition, towards newer records.
    Offset(i64),
    /// At this timestamp in epoch milliseconds, towards newer records.
    Time(i64),
    /// At these positions, towards older records.
    Before(PartitionPositions),
    /// At these positions, towards newer records.
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
    pub contains: Option<String>,
    /// The most records on the page.
    pub limit: usize,
    /// The most bytes of a value that are returned.
    pub value_bytes_max: usize,
    /// How long to search for records.
    pub timeout: Duration,
}
