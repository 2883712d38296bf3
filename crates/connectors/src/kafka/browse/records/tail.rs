//! Follows a topic and returns new records as they arrive.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use serde::Serialize;

use super::consumer::{BrowseConsumer, FetchMode};
use super::positions::PartitionPositions;
use super::record::{BrowsedRecord, message_contains};
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::offsets::fetch_readable_offsets;
use crate::kafka::browse::wire::session::ClusterSession;

/// The time between two batches.
const BATCH_INTERVAL: Duration = Duration::from_millis(400);
/// The most records of a batch. Further matching records are only counted.
const BATCH_RECORDS_MAX: usize = 100;
/// The most bytes of records in a batch.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The parameters for following a topic: its filter and its limits.
#[derive(Clone, Debug)]
pub struct TailRequest {
    /// The only partition to follow; `None` for all partitions.
    pub partition: Option<i32>,
    /// A text that each record must contain in its key, value or headers.
    pub contains: Option<String>,
    /// The most bytes of a value that are returned.
    pub value_bytes_max: usize,
}

/// The records that arrived since the previous batch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TailBatch {
    /// The matching records, in the order of arrival.
    pub records: Vec<BrowsedRecord>,
    /// The number of records that arrived.
    pub looked_at: u64,
    /// The number of matching records that were left out because of the batch's limits.
    pub left_out: u64,
    /// A problem with the records, as a message for the user.
    pub trouble: Option<String>,
}

/// A topic that is ready to be followed, with the offsets at which following begins.
pub struct TailPlan {
    brokers: String,
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
        let mut session = ClusterSession::open(self).await?;
        let readable = fetch_readable_offsets(&mut session, topic, request.partition, None).await?;
        let ends = readable.ranges.iter().map(|(partition, range)| (*partition, range.end));
        let start = PartitionPositions(ends.collect());
        Ok(TailPlan { brokers: self.brokers().to_owned(), topic: topic.to_owned(), request, start_positions: start })
    }
}

impl TailPlan {
    /// Follows the topic and passes a batch to `on_batch` at every interval, even an empty one. Stops when `on_batch`
    /// breaks.
    ///
    /// # Errors
    /// When Kafka becomes unreachable or refuses the request. A new plan continues at the end of the topic.
    pub fn follow(self, mut on_batch: impl FnMut(TailBatch) -> ControlFlow<()>) -> Result<(), BrowseError> {
        let search = self.request.contains.as_deref().map(|text| Finder::new(text.as_bytes()));
        let consumer = BrowseConsumer::new(&self.brokers, &self.topic, FetchMode::Tail)?;
        let follower = consumer.follow_topic(&self.start_positions)?;
        loop {
            let mut batch = TailBatch::default();
            let mut bytes = 0;
            batch.trouble = follower.read_new_records_until(Instant::now() + BATCH_INTERVAL, |message| {
                batch.looked_at += 1;
                if search.as_ref().is_some_and(|search| !message_contains(message, search)) {
                    return;
                }
                if batch.records.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX {
                    batch.left_out += 1;
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
