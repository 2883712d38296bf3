//! Follows a topic and returns new records as they arrive.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use serde::Serialize;

use super::consumer::{BrowseConsumer, ConsumerPurpose};
use super::positions::PartitionPositions;
use super::record::{BrowsedRecord, message_contains};
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::offsets::fetch_readable_offsets;
use crate::kafka::browse::wire::cluster_connections::ClusterConnections;

/// The time between two batches of new records.
const BATCH_INTERVAL: Duration = Duration::from_millis(400);
/// The most records in a batch of new records. Further matching records are only counted.
const BATCH_RECORDS_MAX: usize = 100;
/// The most bytes in a batch of new records.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The parameters for following a topic: its filter and its limits.
#[derive(Clone, Debug)]
pub struct TailRequest {
    /// The only partition to follow; `None` for all partitions.
    pub partition: Option<i32>,
    /// A text that each record must contain in its key, value or headers.
    pub search_text: Option<String>,
    /// The most bytes of a value that are returned.
    pub value_bytes_max: usize,
}

/// The records that arrived since the previous batch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TailBatch {
    /// The matching records, in the order of arrival.
    pub records: Vec<BrowsedRecord>,
    /// The number of records that arrived.
    #[serde(rename = "looked_at")]
    pub examined_record_count: u64,
    /// The number of matching records that were left out because of the batch's limits.
    #[serde(rename = "left_out")]
    pub omitted_record_count: u64,
    /// A problem with the records, as a message for the user.
    #[serde(rename = "trouble")]
    pub problem_message: Option<String>,
}

/// A topic that is ready to be followed, with the offsets at which following begins.
pub struct TailPlan {
    broker_addresses: String,
    topic: String,
    request: TailRequest,
    start_positions: PartitionPositions,
}

impl KafkaBrowser {
    /// Fetches the current end offsets of `topic`, at which following begins.
    ///
    /// # Errors
    /// When the topic or partition does not exist, or Kafka is unreachable or refuses the request.
    pub async fn plan_tail(&self, topic: &str, request: TailRequest) -> Result<TailPlan, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        let readable = fetch_readable_offsets(&mut connections, topic, request.partition, None).await?;
        let ends = readable.offset_ranges.iter().map(|(partition, range)| (*partition, range.end));
        let start = PartitionPositions(ends.collect());
        Ok(TailPlan {
            broker_addresses: self.broker_addresses().to_owned(),
            topic: topic.to_owned(),
            request,
            start_positions: start,
        })
    }
}

impl TailPlan {
    /// Follows the topic and passes a batch to `on_batch` at every interval, even an empty one. Stops when `on_batch`
    /// returns `Break`.
    ///
    /// # Errors
    /// When Kafka becomes unreachable or refuses the request. A new plan skips the records in between.
    pub fn follow(self, mut on_batch: impl FnMut(TailBatch) -> ControlFlow<()>) -> Result<(), BrowseError> {
        let search = self.request.search_text.as_deref().map(|text| Finder::new(text.as_bytes()));
        let consumer = BrowseConsumer::new(&self.broker_addresses, &self.topic, ConsumerPurpose::Tail)?;
        let follower = consumer.start_following(&self.start_positions)?;
        loop {
            let mut batch = TailBatch::default();
            let mut bytes = 0;
            batch.problem_message = follower.read_new_records_until(Instant::now() + BATCH_INTERVAL, |message| {
                batch.examined_record_count += 1;
                if search.as_ref().is_some_and(|search| !message_contains(message, search)) {
                    return;
                }
                if batch.records.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX {
                    batch.omitted_record_count += 1;
                    return;
                }
                let record = BrowsedRecord::from_message(message, self.request.value_bytes_max);
                bytes += record.estimate_memory_bytes();
                batch.records.push(record);
            })?;
            if on_batch(batch).is_break() {
                return Ok(());
            }
        }
    }
}
