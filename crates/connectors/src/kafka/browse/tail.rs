//! New records of a topic as they come.

use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use serde::Serialize;

use super::edges::fetch_readable_range;
use super::reader::BrowseConsumer;
use super::record::{BrowsedRecord, message_contains};
use super::session::ClusterSession;
use super::{BrowseError, KafkaBrowser, PartitionPositions};

/// How often what has come is handed over.
const BATCH_INTERVAL: Duration = Duration::from_millis(400);
/// The most records handed over at once; of the others only the number is told.
const BATCH_RECORDS_MAX: usize = 100;
/// How much of records is handed over at once.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Which records are wanted.
#[derive(Clone, Debug)]
pub struct TailRequest {
    /// Only this partition.
    pub partition: Option<i32>,
    /// Only records that have this in key, value or headers.
    pub contains: Option<String>,
    /// Bytes of a value that are shown.
    pub value_bytes_max: usize,
}

/// What has come since the last time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TailBatch {
    /// The newest of them, in the order they were read.
    pub records: Vec<BrowsedRecord>,
    /// Records that came.
    pub looked_at: u64,
    /// Those that would have been shown, had there not been too many.
    pub left_out: u64,
    /// Something about the records that a person should know.
    pub trouble: Option<String>,
}

/// A topic that is about to be followed.
pub struct TailPlan {
    brokers: String,
    topic: String,
    request: TailRequest,
    from: PartitionPositions,
}

impl KafkaBrowser {
    /// Where following `topic` would begin: at its end as of now.
    ///
    /// # Errors
    /// When there is no such topic or partition, Kafka does not answer, or refuses.
    pub async fn plan_tail(&self, topic: &str, request: TailRequest) -> Result<TailPlan, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let (readable, _) = fetch_readable_range(&mut session, topic, request.partition, None).await?;
        Ok(TailPlan { brokers: self.brokers.clone(), topic: topic.to_owned(), request, from: readable.end })
    }
}

impl TailPlan {
    /// Follows the topic and hands over what comes, also when that is nothing, until `each` says no.
    ///
    /// # Errors
    /// When Kafka goes away or refuses. Follow again to go on.
    pub fn follow(self, mut on_batch: impl FnMut(TailBatch) -> bool) -> Result<(), BrowseError> {
        let needle = self.request.contains.as_deref().map(|text| Finder::new(text.as_bytes()));
        let reader = BrowseConsumer::new(&self.brokers, &self.topic, true)?;
        let following = reader.follow_topic(&self.from)?;
        loop {
            let mut tailed = TailBatch::default();
            let mut bytes = 0;
            let until = Instant::now() + BATCH_INTERVAL;
            tailed.trouble = following.read_until(until, |message| {
                tailed.looked_at += 1;
                if needle.as_ref().is_some_and(|needle| !message_contains(message, needle)) {
                    return;
                }
                if tailed.records.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX {
                    tailed.left_out += 1;
                    return;
                }
                let record = BrowsedRecord::from_message(message, self.request.value_bytes_max);
                bytes += record.memory_bytes();
                tailed.records.push(record);
            })?;
            if !on_batch(tailed) {
                return Ok(());
            }
        }
    }
}
