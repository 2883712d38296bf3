//! What a page of records is requested by.

use std::time::Duration;

use crate::kafka::browse::records::PartitionPositions;

/// Where a page begins, and so in which direction it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageStart {
    /// At the newest records, towards older ones.
    Newest,
    /// At the oldest records kept, towards newer ones.
    Oldest,
    /// At this offset of every partition requested, towards newer records.
    Offset(i64),
    /// At this timestamp in epoch milliseconds, towards newer records.
    Time(i64),
    /// At these positions, towards older records.
    Before(PartitionPositions),
    /// At these positions, towards newer records.
    After(PartitionPositions),
}

/// Which records are requested.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Where to begin.
    pub start: PageStart,
    /// Only this partition.
    pub partition: Option<i32>,
    /// Only records that contain this in key, value or headers.
    pub contains: Option<String>,
    /// The most records on the page.
    pub limit: usize,
    /// The most bytes of a value that are shown.
    pub value_bytes_max: usize,
    /// How long to look for records.
    pub timeout: Duration,
}
