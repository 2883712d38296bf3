//! New records of a topic as they arrive.

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

/// How often a batch is handed over.
const BATCH_INTERVAL: Duration = Duration::from_millis(400);
/// The most records of a batch; the others are only counted.
const BATCH_RECORDS_MAX: usize = 100;
/// The most bytes of records in a batch.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Which records are requested.
#[derive(Clone, Debug)]
pub struct TailRequest {
    /// Only this partition.
    pub partition: Option<i32>,
    /// Only records that contain this in key, value or headers.
    pub contains: Option<String>,
    /// The most bytes of a value that are shown.
    pub value_bytes_max: usize,
}

/// What has arrived since the batch before.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TailBatch {
    /// Records that match, in the order of arrival.
    pub records: Vec<BrowsedRecord>,
    /// Number of records that arrived.
    pub looked_at: u64,
    /// Number of records that match but were too many to show.
    pub left_out: u64,
    /// A problem with the records that the user should see.
    pub trouble: Option<String>,
}

/// A topic that is about to be followed.
pub struct TailPlan {
    brokers: String,
    topic: String,
    request: TailRequest,
    start: PartitionPositions,
}

impl KafkaBrowser {
    /// Asks Kafka for the present end of `topic`, where following begins.
    ///
    /// # Errors
    /// When there is no such topic or partition, or Kafka is unreachable or refuses.
    pub async fn plan_tail(&self, topic: &str, request: TailRequest) -> Result<TailPlan, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let readable = fetch_readable_offsets(&mut session, topic, request.partition, None).await?;
        let ends = readable.ranges.iter().map(|(partition, range)| (*partition, range.end));
        let start = PartitionPositions(ends.collect());
        Ok(TailPlan { brokers: self.brokers().to_owned(), topic: topic.to_owned(), request, start })
    }
}

impl TailPlan {
    /// Follows the topic and hands over a batch at every interval, even an empty one, until `on_batch` breaks.
    ///
    /// # Errors
    /// When Kafka becomes unreachable or refuses. Follow again to continue.
    pub fn follow(self, mut on_batch: impl FnMut(TailBatch) -> ControlFlow<()>) -> Result<(), BrowseError> {
        let search = self.request.contains.as_deref().map(|text| Finder::new(text.as_bytes()));
        let consumer = BrowseConsumer::new(&self.brokers, &self.topic, FetchMode::Tail)?;
        let follower = consumer.follow_topic(&self.start)?;
        loop {
            let mut batch = TailBatch::default();
            let mut bytes = 0;
            batch.trouble = follower.read_until(Instant::now() + BATCH_INTERVAL, |message| {
                batch.looked_at += 1;
                if search.as_ref().is_some_and(|search| !message_contains(message, search)) {
                    return;
                }
                if batch.records.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX {
                    batch.left_out += 1;
                    return;
                }
                let record = BrowsedRecord::from_message(message, self.request.value_bytes_max);
                bytes += record.memory_bytes();
                batch.records.push(record);
            })?;
            if on_batch(batch).is_break() {
                return Ok(());
            }
        }
    }
}
