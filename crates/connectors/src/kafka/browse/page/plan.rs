//! Plans a page: fetches the offsets that can be read in each partition.

use std::ops::Range;

use super::request::{PageRequest, PageStart};
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::offsets::{ReadableOffsets, fetch_readable_offsets};
use crate::kafka::browse::records::PartitionPositions;
use crate::kafka::browse::wire::cluster_connections::ClusterConnections;

/// The plan of a page: the request, and the offsets that can be read.
pub struct PagePlan {
    pub(super) broker_addresses: String,
    pub(super) topic: String,
    pub(super) request: PageRequest,
    pub(super) readable_offsets: ReadableOffsets,
}

impl KafkaBrowser {
    /// Asks Kafka which offsets of `topic` can be read, and returns the plan of the page.
    ///
    /// # Errors
    /// When the topic or partition does not exist, or Kafka is unreachable or refuses the request.
    pub async fn plan_page(&self, topic: &str, request: PageRequest) -> Result<PagePlan, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        let time_ms = if let PageStart::Time(time_ms) = request.start { Some(time_ms) } else { None };
        let readable = fetch_readable_offsets(&mut connections, topic, request.partition, time_ms).await?;
        Ok(PagePlan {
            broker_addresses: self.broker_addresses().to_owned(),
            topic: topic.to_owned(),
            request,
            readable_offsets: readable,
        })
    }
}

impl PagePlan {
    /// Returns the offset at which the page begins in `partition`. `readable` is the partition's range of readable
    /// offsets.
    pub(super) fn start_offset(&self, partition: i32, readable: &Range<i64>) -> i64 {
        let position_in =
            |positions: &PartitionPositions, otherwise| positions.0.get(&partition).copied().unwrap_or(otherwise);
        let start = match &self.request.start {
            PageStart::Newest => readable.end,
            PageStart::Oldest => readable.start,
            PageStart::Offset(offset) => *offset,
            // If a partition has no record of that time or later, the page begins at the end of the partition. So the
            // page contains no record of the partition.
            PageStart::Time(_) => position_in(&self.readable_offsets.offsets_at_requested_time, readable.end),
            // A partition without a position was added after the previous page was read. So all records of the
            // partition count as newer than that page.
            PageStart::Before(positions) | PageStart::After(positions) => position_in(positions, readable.start),
        };
        start.clamp(readable.start, readable.end.max(readable.start))
    }
}
