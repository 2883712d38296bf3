//! The consumer of the Kafka UI. This consumer reads ranges of offsets or follows a topic, and belongs to no group.

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
use crate::kafka::client_config::base_config;
use crate::kafka::unreadable_batch::is_unreadable_batch;

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// The number of errors about an unreadable batch after which reading stops. librdkafka returns about two such errors a
/// second.
const MAX_UNREADABLE_BATCH_ERRORS: u32 = 2;
/// The time between librdkafka's report that all brokers are unreachable and a metadata request, which checks whether
/// Kafka answers. The report alone proves nothing: librdkafka also sends it while it opens connections. This time is
/// also the timeout of the metadata request.
const UNREACHABLE_TIMEOUT: Duration = Duration::from_secs(2);

const KEPT_OFFSETS_TIMEOUT: Duration = Duration::from_secs(5);

/// The offsets to read, by partition.
pub(crate) type OffsetRanges = BTreeMap<i32, Range<i64>>;

/// The purpose of a consumer of the Kafka UI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConsumerPurpose {
    /// The consumer reads ranges of existing offsets.
    Page,
    /// The consumer waits for new records.
    Tail,
}

/// The result of reading ranges of offsets.
#[derive(Debug, Default)]
pub(crate) struct RangeReadOutcome {
    /// The partitions whose range was read only in part, each with the next offset to read.
    pub(crate) unfinished_positions: BTreeMap<i32, i64>,
    /// A message for the user if records could not be read; otherwise `None`.
    pub(crate) problem_message: Option<String>,
}

/// The result of one poll.
enum BrowsePollOutcome<'a> {
    Record(BorrowedMessage<'a>),
    EndOfPartition(i32),
    Nothing,
    UnreadableBatch,
    Failure(KafkaError),
}

/// A consumer that reads one topic and belongs to no group.
pub(crate) struct BrowseConsumer {
    consumer: BaseConsumer,
    topic: String,
    /// The time at which librdkafka reported that all brokers are unreachable; `None` if no report needs a check.
    unreachable_since: Cell<Option<Instant>>,
}

impl BrowseConsumer {
    pub(crate) fn new(brokers: &str, topic: &str, mode: ConsumerPurpose) -> Result<Self, BrowseError> {
        let mut config = base_config(brokers);
        config
            // librdkafka requires a group name. The consumer joins no group and commits no offset, so this group never
            // exists.
            .set("group.id", "windrow-kafka-ui")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // Hides the records of aborted transactions.
            .set("isolation.level", "read_committed")
            // librdkafka reports the end of a partition only after a fetch that returned no record. With a short wait,
            // the broker answers such a fetch soon.
            .set(
                "fetch.wait.max.ms",
                match mode {
                    ConsumerPurpose::Page => "10",
                    ConsumerPurpose::Tail => "250",
                },
            )
            .set("fetch.queue.backoff.ms", "10")
            // The following three settings limit the memory that one request of the Kafka UI needs. They limit the
            // bytes of records that librdkafka reads ahead, of one answer of a broker, and of one decompressed batch.
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.max.bytes", "8388608")
            .set("receive.message.max.bytes", "67108864");
        let consumer = config.create().map_err(|error| {
            BrowseError::Refused(format!("cannot create a consumer for Kafka at {brokers}: {error}"))
        })?;
        Ok(Self { consumer, topic: topic.to_owned(), unreachable_since: Cell::new(None) })
    }

    /// Returns the offsets from the oldest record of `partition` that Kafka still holds to the end of the partition.
    ///
    /// # Errors
    /// When Kafka does not answer, or does not allow reading the topic.
    pub(crate) fn fetch_kept_offsets(&self, partition: i32) -> Result<Range<i64>, BrowseError> {
        match self.consumer.fetch_watermarks(&self.topic, partition, KEPT_OFFSETS_TIMEOUT) {
            Ok((first, end)) => Ok(first..end),
            Err(error) => {
                self.explain_error(&error)?;
                Err(BrowseError::Unreachable(format!(
                    "Kafka does not tell the offsets of topic `{}`: {error}",
                    self.topic
                )))
            }
        }
    }

    /// Reads the records whose offsets are in `ranges`, and passes each record to `on_message`. Returns early at
    /// `deadline`, or if records cannot be read.
    pub(crate) fn read_ranges(
        &self,
        ranges: &OffsetRanges,
        deadline: Instant,
        mut on_message: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<RangeReadOutcome, BrowseError> {
        let mut outcome = RangeReadOutcome::default();
        let not_empty = ranges.iter().filter(|(_, range)| !range.is_empty());
        outcome.unfinished_positions.extend(not_empty.map(|(partition, range)| (*partition, range.start)));
        self.assign_partitions(&outcome.unfinished_positions)?;
        let mut unreadable_errors = 0;
        while !outcome.unfinished_positions.is_empty() && Instant::now() < deadline {
            match self.poll(POLL_TIMEOUT)? {
                BrowsePollOutcome::Nothing => {}
                BrowsePollOutcome::Record(message) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(range) = ranges.get(&partition) else { continue };
                    let Some(next) = outcome.unfinished_positions.get_mut(&partition) else { continue };
                    if offset < *next {
                        continue;
                    }
                    if offset < range.end {
                        on_message(&message);
                        *next = offset + 1;
                        unreadable_errors = 0;
                    }
                    if offset + 1 >= range.end {
                        outcome.unfinished_positions.remove(&partition);
                        self.unassign_partition(partition);
                    }
                }
                // The partition has no further readable record. The remaining offsets of the range hold, for example,
                // only transaction markers. So the range is complete.
                BrowsePollOutcome::EndOfPartition(partition) => {
                    outcome.unfinished_positions.remove(&partition);
                }
                BrowsePollOutcome::UnreadableBatch => {
                    unreadable_errors += 1;
                    if unreadable_errors >= MAX_UNREADABLE_BATCH_ERRORS {
                        outcome.problem_message = Some(format!(
                            "a batch of records at {} cannot be decompressed: it is corrupt, or decompresses to more \
                             than 64 MiB. Choose an offset after the batch.",
                            format_up_to_three_positions(&outcome.unfinished_positions)
                        ));
                        return Ok(outcome);
                    }
                }
                BrowsePollOutcome::Failure(error) => {
                    outcome.problem_message = self.explain_error(&error)?;
                    if outcome.problem_message.is_some() {
                        return Ok(outcome);
                    }
                }
            }
        }
        Ok(outcome)
    }

    /// Returns a follower, which reads each partition of the topic from the partition's offset in `start`.
    pub(crate) fn start_following(&self, start: &PartitionPositions) -> Result<TopicFollower<'_>, BrowseError> {
        self.assign_partitions(&start.0)?;
        Ok(TopicFollower { consumer: self })
    }

    /// Returns a message for the user about `error`, or `None` if the error is transient.
    ///
    /// # Errors
    /// When the topic does not exist, or Kafka does not allow reading it.
    fn explain_error(&self, error: &KafkaError) -> Result<Option<String>, BrowseError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Ok(Some("Kafka deleted records while they were being read; repeat the request".to_owned()))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(BrowseError::NotFound(format!("topic `{}` no longer exists", self.topic)))
            }
            Some(code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed)) => {
                Err(BrowseError::Refused(format!("Kafka does not allow reading topic `{}`: {code}", self.topic)))
            }
            // Any other error is transient, such as a lost connection. The caller retries until its deadline.
            _ => Ok(None),
        }
    }

    /// Returns the next event of the consumer, or `Nothing` if no event arrives within `timeout`.
    ///
    /// # Errors
    /// When [`Self::probe_if_unreachable`] finds that Kafka does not answer.
    fn poll(&self, timeout: Duration) -> Result<BrowsePollOutcome<'_>, BrowseError> {
        self.probe_if_unreachable()?;
        Ok(match self.consumer.poll(timeout) {
            None => BrowsePollOutcome::Nothing,
            Some(Ok(message)) => {
                self.unreachable_since.set(None);
                BrowsePollOutcome::Record(message)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.unreachable_since.set(None);
                BrowsePollOutcome::EndOfPartition(partition)
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.unreachable_since.set(self.unreachable_since.get().or_else(|| Some(Instant::now())));
                BrowsePollOutcome::Nothing
            }
            Some(Err(error)) if is_unreadable_batch(&error) => BrowsePollOutcome::UnreadableBatch,
            Some(Err(error)) => BrowsePollOutcome::Failure(error),
        })
    }

    /// Requests metadata if [`UNREACHABLE_TIMEOUT`] has passed since librdkafka reported that all brokers are
    /// unreachable. A record that arrives earlier cancels this check. librdkafka does not report when a broker is
    /// reachable again. So the answer to the request shows whether Kafka is reachable.
    fn probe_if_unreachable(&self) -> Result<(), BrowseError> {
        if self.unreachable_since.get().is_some_and(|since| since.elapsed() > UNREACHABLE_TIMEOUT) {
            self.unreachable_since.set(None);
            self.consumer.fetch_metadata(Some(&self.topic), UNREACHABLE_TIMEOUT).map_err(|_| {
                BrowseError::Unreachable(format!("Kafka became unreachable while topic `{}` was read", self.topic))
            })?;
        }
        Ok(())
    }

    fn assign_partitions(&self, start: &BTreeMap<i32, i64>) -> Result<(), BrowseError> {
        let mut list = TopicPartitionList::with_capacity(start.len());
        let added = start.iter().try_for_each(|(partition, offset)| {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
        });
        added
            .and_then(|()| self.consumer.assign(&list))
            .map_err(|error| BrowseError::Refused(format!("topic `{}` cannot be read: {error}", self.topic)))
    }

    /// Stops reading `partition`, so that the broker sends no unneeded records. A failure is ignored, because unneeded
    /// records do no harm. Pausing the partition instead would not work, because the consumer must later resume it.
    /// librdkafka 2.12 loses a call to resume during an assignment.
    fn unassign_partition(&self, partition: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let _ = self.consumer.incremental_unassign(&list);
    }
}

fn format_up_to_three_positions(positions: &BTreeMap<i32, i64>) -> String {
    let first_three: Vec<_> =
        positions.iter().map(|(partition, offset)| format!("partition {partition} offset {offset}")).take(3).collect();
    first_three.join(" or ")
}

/// Reads the new records of a topic.
pub(crate) struct TopicFollower<'a> {
    consumer: &'a BrowseConsumer,
}

impl TopicFollower<'_> {
    /// Passes each record that arrives before `deadline` to `on_message`. If records cannot be read, returns early with
    /// a message for the user.
    pub(crate) fn read_new_records_until(
        &self,
        deadline: Instant,
        mut on_message: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<Option<String>, BrowseError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.consumer.poll(left)? {
                BrowsePollOutcome::Nothing | BrowsePollOutcome::EndOfPartition(_) => {}
                BrowsePollOutcome::Record(message) => on_message(&message),
                BrowsePollOutcome::UnreadableBatch => {
                    let problem =
                        "a new batch of records cannot be decompressed; later records of its partition are not shown";
                    return Ok(Some(problem.to_owned()));
                }
                BrowsePollOutcome::Failure(error) => {
                    if let Some(problem) = self.consumer.explain_error(&error)? {
                        return Ok(Some(problem));
                    }
                }
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }
}
