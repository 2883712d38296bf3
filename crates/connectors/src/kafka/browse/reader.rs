//! Reading ranges of offsets with a consumer of its own, without a group.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{BrowseError, PartitionPositions};
use crate::kafka::client;
use crate::kafka::unreadable::is_unreadable_batch;

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Reports of batches that cannot be unpacked before reading is given up; they come about twice a second.
const REPORTS_MAX: u32 = 2;

/// How long all brokers may seem to be away. A connection that is lost while others are being made looks like that for a
/// moment.
const UNREACHABLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Offsets to read: from the first up to, not including, the second.
pub(super) type OffsetRanges = BTreeMap<i32, (i64, i64)>;

/// How a reading went.
#[derive(Debug, Default)]
pub(super) struct RangeReadOutcome {
    /// Ranges not read to their end, and where reading would go on.
    pub(super) unfinished: BTreeMap<i32, i64>,
    /// Something about the records that a person should know.
    pub(super) trouble: Option<String>,
}

/// A consumer for people's eyes: committed transactions only, little read ahead.
pub(super) struct BrowseConsumer {
    consumer: BaseConsumer,
    topic: String,
    /// Since when all connections have been lost, as far as is known.
    unreachable_since: Cell<Option<Instant>>,
}

impl BrowseConsumer {
    pub(super) fn new(brokers: &str, topic: &str, tailing: bool) -> Result<Self, BrowseError> {
        let mut config = client::base_config(brokers);
        config
            // librdkafka demands a name; no group of that name ever exists.
            .set("group.id", "windrow-kafka-ui")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // Records of transactions that were given up are not there for anybody else either.
            .set("isolation.level", "read_committed")
            // The end of a partition is told when a fetch comes back empty.
            .set("fetch.wait.max.ms", if tailing { "250" } else { "10" })
            .set("fetch.queue.backoff.ms", "10")
            // Together these bound what a visitor's question takes: what is read ahead, one answer of a broker, and
            // the largest batch that is unpacked.
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.max.bytes", "8388608")
            .set("receive.message.max.bytes", "67108864");
        let consumer = config
            .create()
            .map_err(|error| BrowseError::Refused(format!("Kafka at {brokers} cannot be read: {error}")))?;
        Ok(Self { consumer, topic: topic.to_owned(), unreachable_since: Cell::new(None) })
    }

    /// Reads `ranges` until `until`, or until `each` says no.
    pub(super) fn read_ranges(
        &self,
        ranges: &OffsetRanges,
        until: Instant,
        mut on_message: impl FnMut(&BorrowedMessage<'_>) -> bool,
    ) -> Result<RangeReadOutcome, BrowseError> {
        let mut read = RangeReadOutcome::default();
        read.unfinished.extend(
            ranges.iter().filter(|(_, (from, to))| from < to).map(|(partition, (from, _))| (*partition, *from)),
        );
        self.assign(&read.unfinished)?;
        let mut reports = 0;
        while !read.unfinished.is_empty() && Instant::now() < until {
            match self.poll(POLL_TIMEOUT)? {
                None => {}
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some((_, to)) = ranges.get(&partition) else { continue };
                    let Some(next) = read.unfinished.get_mut(&partition) else { continue };
                    if offset < *next {
                        continue;
                    }
                    if offset < *to {
                        if !on_message(&message) {
                            return Ok(read);
                        }
                        *next = offset + 1;
                        reports = 0;
                    }
                    if offset + 1 >= *to {
                        read.unfinished.remove(&partition);
                        self.unassign_partition(partition);
                    }
                }
                // What is between the last record and the end are marks of transactions.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    read.unfinished.remove(&partition);
                }
                Some(Err(error)) => {
                    if is_unreadable_batch(&error) {
                        reports += 1;
                        if reports < REPORTS_MAX {
                            continue;
                        }
                        read.trouble = Some(format!(
                            "a batch of records at {} cannot be unpacked: it is corrupt, or unpacks to more than 64 MiB. \
                             Choose an offset behind it.",
                            format_positions(&read.unfinished)
                        ));
                    } else {
                        read.trouble = self.describe_trouble(&error)?;
                    }
                    if read.trouble.is_some() {
                        return Ok(read);
                    }
                }
            }
        }
        Ok(read)
    }

    /// Begins to follow the topic from `from` on.
    pub(super) fn follow_topic(&self, from: &PartitionPositions) -> Result<TopicFollower<'_>, BrowseError> {
        self.assign(&from.0)?;
        Ok(TopicFollower { reader: self })
    }

    /// What an error means for a person who reads records; `None` where time will tell.
    fn describe_trouble(&self, error: &KafkaError) -> Result<Option<String>, BrowseError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Ok(Some("records were deleted while they were being read; ask again".to_owned()))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(BrowseError::NotFound(format!("there is no topic `{}` any more", self.topic)))
            }
            Some(code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed)) => {
                Err(BrowseError::Refused(format!("Kafka does not let us read topic `{}`: {code}", self.topic)))
            }
            // Connections come and go; time is what ends the waiting.
            _ => Ok(None),
        }
    }

    /// What comes next, if it comes in time; an error where Kafka is away for longer than a moment.
    fn poll(&self, timeout: Duration) -> Result<Option<KafkaResult<BorrowedMessage<'_>>>, BrowseError> {
        self.check_reachable()?;
        let polled = self.consumer.poll(timeout);
        match &polled {
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => self.unreachable_since.set(None),
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.unreachable_since.set(self.unreachable_since.get().or_else(|| Some(Instant::now())));
                return Ok(None);
            }
            _ => {}
        }
        Ok(polled)
    }

    /// Asks Kafka whether it is away, some time after all connections were said to be: librdkafka does not say that they
    /// are back.
    fn check_reachable(&self) -> Result<(), BrowseError> {
        if self.unreachable_since.get().is_some_and(|since| since.elapsed() > UNREACHABLE_TIMEOUT) {
            self.unreachable_since.set(None);
            let asked = self.consumer.fetch_metadata(Some(&self.topic), UNREACHABLE_TIMEOUT);
            asked.map_err(|_| {
                BrowseError::Unreachable(format!("Kafka went away while topic `{}` was read", self.topic))
            })?;
        }
        Ok(())
    }

    fn assign(&self, from: &BTreeMap<i32, i64>) -> Result<(), BrowseError> {
        let mut list = TopicPartitionList::with_capacity(from.len());
        let added = from.iter().try_for_each(|(partition, offset)| {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
        });
        added
            .and_then(|()| self.consumer.assign(&list))
            .map_err(|error| BrowseError::Refused(format!("topic `{}` cannot be read: {error}", self.topic)))
    }

    /// Reads no further in `partition`, which saves what nobody wants; nothing depends on it. (Not by pausing: where a
    /// resumption crosses an assignment, librdkafka 2.12 drops it, and the partition stays paused.)
    fn unassign_partition(&self, partition: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let _ = self.consumer.incremental_unassign(&list);
    }
}

fn format_positions(left: &BTreeMap<i32, i64>) -> String {
    let said: Vec<_> =
        left.iter().map(|(partition, offset)| format!("partition {partition} offset {offset}")).take(3).collect();
    said.join(" or ")
}

/// A topic that is being followed.
pub(super) struct TopicFollower<'a> {
    reader: &'a BrowseConsumer,
}

impl TopicFollower<'_> {
    /// Hands over what comes until `until`; says so where a batch cannot be unpacked.
    pub(super) fn read_until(
        &self,
        until: Instant,
        mut on_message: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<Option<String>, BrowseError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.reader.poll(left)? {
                None | Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Ok(message)) => on_message(&message),
                Some(Err(error)) if is_unreadable_batch(&error) => {
                    return Ok(Some("a batch that came cannot be unpacked: following stands still there".to_owned()));
                }
                Some(Err(error)) => {
                    if let Some(trouble) = self.reader.describe_trouble(&error)? {
                        return Ok(Some(trouble));
                    }
                }
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }
}
