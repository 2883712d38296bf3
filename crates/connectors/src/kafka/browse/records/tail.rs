//! Follows a topic: passes new records of the topic to a callback, in batches.

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

const BATCH_INTERVAL: Duration = Duration::from_millis(400);
/// The most records in a batch of new records. Further records that contain the search text are only counted.
const MAX_BATCH_RECORDS: usize = 100;
/// A batch of new records that needs at least this many bytes of memory takes no further record.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// The parameters for following a topic: its filter and its limits.
#[derive(Clone, Debug)]
pub struct TailRequest {
    /// The only partition to follow; `None` for all partitions.
    pub partition: Option<i32>,
    /// If given, only records with this text in their key, value or headers are returned.
    pub search_text: Option<String>,
    /// The most bytes of a record's value that are returned. Longer values are truncated.
    pub max_value_bytes: usize,
}

/// The new records that arrived since the previous batch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TailBatch {
    /// The records that contain the search text, in the order of arrival.
    pub records: Vec<BrowsedRecord>,
    /// The number of records that arrived since the previous batch, whether or not they contain the search text.
    #[serde(rename = "looked_at")]
    pub examined_record_count: u64,
    /// The number of records that contain the search text, but were left out because the batch was full.
    #[serde(rename = "left_out")]
    pub omitted_record_count: u64,
    /// A message for the user if records could not be read; otherwise `None`.
    #[serde(rename = "trouble")]
    pub problem_message: Option<String>,
}

/// The plan for following a topic: the request, and the offsets at which following begins.
pub struct TailPlan {
    broker_addresses: String,
    topic: String,
    request: TailRequest,
    start_positions: PartitionPositions,
}

impl KafkaBrowser {
    /// Returns a plan for following `topic` from its current end offsets.
    ///
    /// # Errors
    /// When the topic or partition does not exist, or Kafka is unreachable or refuses the request.
    pub async fn plan_follow_from_end(&self, topic: &str, request: TailRequest) -> Result<TailPlan, BrowseError> {
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
    /// Reads new records, and passes a batch of records to `on_batch` at fixed intervals. A batch may be empty. Stops
    /// when `on_batch` returns `Break`.
    ///
    /// # Errors
    /// When Kafka becomes unreachable or refuses the request. A new plan begins at the end offsets of its own time. So
    /// records that arrive between the error and the new plan are never returned.
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
                if batch.records.len() >= MAX_BATCH_RECORDS || bytes >= MAX_BATCH_BYTES {
                    batch.omitted_record_count += 1;
                    return;
                }
                let record = BrowsedRecord::from_message(message, self.request.max_value_bytes);
                bytes += record.estimate_memory_bytes();
                batch.records.push(record);
            })?;
            if on_batch(batch).is_break() {
                return Ok(());
            }
        }
    }
}
