//! The consumer of the Kafka UI: it reads ranges of offsets, or follows a topic, without a group.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::positions::PartitionPositions;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::client::base_config;
use crate::kafka::unreadable_batch::is_unreadable_batch;

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Reports of an unreadable batch before reading is given up; librdkafka makes about two a second.
const REPORTS_MAX: u32 = 2;
/// How long all brokers may seem unreachable. A connection that is lost while others are being opened looks like that for
/// a moment.
const UNREACHABLE_TIMEOUT: Duration = Duration::from_secs(2);

/// The offsets to read of each partition.
pub(crate) type OffsetRanges = BTreeMap<i32, Range<i64>>;

/// What a consumer is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FetchMode {
    /// Reading ranges of offsets that exist.
    Page,
    /// Waiting for records to come.
    Tail,
}

/// How the reading of ranges went.
#[derive(Debug, Default)]
pub(crate) struct RangeReadOutcome {
    /// The partitions whose range was not read to its end, and the offset that each has reached.
    pub(crate) unfinished: BTreeMap<i32, i64>,
    /// A problem with the records that the user should see.
    pub(crate) trouble: Option<String>,
}

/// What one poll brought.
enum PolledMessage<'a> {
    Record(BorrowedMessage<'a>),
    EndOfPartition(i32),
    Nothing,
    UnreadableBatch,
    Failure(KafkaError),
}

/// A consumer that reads committed transactions only, and little ahead.
pub(crate) struct BrowseConsumer {
    consumer: BaseConsumer,
    topic: String,
    /// When librdkafka reported that all connections are lost.
    unreachable_since: Cell<Option<Instant>>,
}

impl BrowseConsumer {
    pub(crate) fn new(brokers: &str, topic: &str, mode: FetchMode) -> Result<Self, BrowseError> {
        let mut config = base_config(brokers);
        config
            // librdkafka demands a name; no group of that name ever exists.
            .set("group.id", "windrow-kafka-ui")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // Other consumers do not see the records of aborted transactions either.
            .set("isolation.level", "read_committed")
            // The end of a partition is reported when a fetch comes back empty.
            .set(
                "fetch.wait.max.ms",
                match mode {
                    FetchMode::Page => "10",
                    FetchMode::Tail => "250",
                },
            )
            .set("fetch.queue.backoff.ms", "10")
            // Together these bound the memory of a request: what is read ahead, one answer of a broker, and the largest
            // batch that is unpacked.
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.max.bytes", "8388608")
            .set("receive.message.max.bytes", "67108864");
        let consumer = config
            .create()
            .map_err(|error| BrowseError::Refused(format!("Kafka at {brokers} cannot be read: {error}")))?;
        Ok(Self { consumer, topic: topic.to_owned(), unreachable_since: Cell::new(None) })
    }

    /// Reads `ranges`, for as long as `deadline` is not reached.
    pub(crate) fn read_ranges(
        &self,
        ranges: &OffsetRanges,
        deadline: Instant,
        mut on_message: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<RangeReadOutcome, BrowseError> {
        let mut outcome = RangeReadOutcome::default();
        let not_empty = ranges.iter().filter(|(_, range)| !range.is_empty());
        outcome.unfinished.extend(not_empty.map(|(partition, range)| (*partition, range.start)));
        self.assign(&outcome.unfinished)?;
        let mut reports = 0;
        while !outcome.unfinished.is_empty() && Instant::now() < deadline {
            match self.poll(POLL_TIMEOUT)? {
                PolledMessage::Nothing => {}
                PolledMessage::Record(message) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(range) = ranges.get(&partition) else { continue };
                    let Some(next) = outcome.unfinished.get_mut(&partition) else { continue };
                    if offset < *next {
                        continue;
                    }
                    if offset < range.end {
                        on_message(&message);
                        *next = offset + 1;
                        reports = 0;
                    }
                    if offset + 1 >= range.end {
                        outcome.unfinished.remove(&partition);
                        self.unassign_partition(partition);
                    }
                }
                // Between the last record and the end there are only transaction markers.
                PolledMessage::EndOfPartition(partition) => {
                    outcome.unfinished.remove(&partition);
                }
                PolledMessage::UnreadableBatch => {
                    reports += 1;
                    if reports >= REPORTS_MAX {
                        outcome.trouble = Some(format!(
                            "a batch of records at {} cannot be unpacked: it is corrupt, or unpacks to more than 64 MiB. \
                             Choose an offset behind it.",
                            format_positions(&outcome.unfinished)
                        ));
                        return Ok(outcome);
                    }
                }
                PolledMessage::Failure(error) => {
                    outcome.trouble = self.describe_trouble(&error)?;
                    if outcome.trouble.is_some() {
                        return Ok(outcome);
                    }
                }
            }
        }
        Ok(outcome)
    }

    /// Begins to follow the topic at `start`.
    pub(crate) fn follow_topic(&self, start: &PartitionPositions) -> Result<TopicFollower<'_>, BrowseError> {
        self.assign(&start.0)?;
        Ok(TopicFollower { consumer: self })
    }

    /// Returns what an error means for the user; `None` where it is transient.
    fn describe_trouble(&self, error: &KafkaError) -> Result<Option<String>, BrowseError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Ok(Some("records were deleted while they were being read; ask again".to_owned()))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(BrowseError::NotFound(format!("there is no topic `{}` any more", self.topic)))
            }
            Some(code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed)) => {
                Err(BrowseError::Refused(format!("Kafka does not allow reading topic `{}`: {code}", self.topic)))
            }
            // Connections come and go; the caller's deadline ends the waiting.
            _ => Ok(None),
        }
    }

    /// Returns what comes next, if it comes in time.
    ///
    /// # Errors
    /// When Kafka has been unreachable for longer than a moment.
    fn poll(&self, timeout: Duration) -> Result<PolledMessage<'_>, BrowseError> {
        self.check_reachable()?;
        Ok(match self.consumer.poll(timeout) {
            None => PolledMessage::Nothing,
            Some(Ok(message)) => {
                self.unreachable_since.set(None);
                PolledMessage::Record(message)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.unreachable_since.set(None);
                PolledMessage::EndOfPartition(partition)
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.unreachable_since.set(self.unreachable_since.get().or_else(|| Some(Instant::now())));
                PolledMessage::Nothing
            }
            Some(Err(error)) if is_unreadable_batch(&error) => PolledMessage::UnreadableBatch,
            Some(Err(error)) => PolledMessage::Failure(error),
        })
    }

    /// Asks Kafka for an answer some time after all connections were reported lost: librdkafka does not report that they
    /// are open again.
    fn check_reachable(&self) -> Result<(), BrowseError> {
        if self.unreachable_since.get().is_some_and(|since| since.elapsed() > UNREACHABLE_TIMEOUT) {
            self.unreachable_since.set(None);
            self.consumer.fetch_metadata(Some(&self.topic), UNREACHABLE_TIMEOUT).map_err(|_| {
                BrowseError::Unreachable(format!("Kafka became unreachable while topic `{}` was read", self.topic))
            })?;
        }
        Ok(())
    }

    fn assign(&self, start: &BTreeMap<i32, i64>) -> Result<(), BrowseError> {
        let mut list = TopicPartitionList::with_capacity(start.len());
        let added = start.iter().try_for_each(|(partition, offset)| {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
        });
        added
            .and_then(|()| self.consumer.assign(&list))
            .map_err(|error| BrowseError::Refused(format!("topic `{}` cannot be read: {error}", self.topic)))
    }

    /// Stops reading `partition`, which saves fetching records that are of no use; correctness does not depend on it.
    /// (Not by pausing: where a resumption crosses an assignment, librdkafka 2.12 drops it, and the partition stays
    /// paused.)
    fn unassign_partition(&self, partition: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let _ = self.consumer.incremental_unassign(&list);
    }
}

fn format_positions(positions: &BTreeMap<i32, i64>) -> String {
    let first_three: Vec<_> =
        positions.iter().map(|(partition, offset)| format!("partition {partition} offset {offset}")).take(3).collect();
    first_three.join(" or ")
}

/// A topic that is being followed.
pub(crate) struct TopicFollower<'a> {
    consumer: &'a BrowseConsumer,
}

impl TopicFollower<'_> {
    /// Hands over the records that come until `deadline`. Returns a problem that the user should see, if there is one.
    pub(crate) fn read_until(
        &self,
        deadline: Instant,
        mut on_message: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<Option<String>, BrowseError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.consumer.poll(left)? {
                PolledMessage::Nothing | PolledMessage::EndOfPartition(_) => {}
                PolledMessage::Record(message) => on_message(&message),
                PolledMessage::UnreadableBatch => {
                    return Ok(Some("a new batch cannot be unpacked: following stops there".to_owned()));
                }
                PolledMessage::Failure(error) => {
                    if let Some(trouble) = self.consumer.describe_trouble(&error)? {
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
