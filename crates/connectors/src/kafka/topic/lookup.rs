//! Looks up the topic before workers start: waits until Kafka is reachable and the topic exists, and fetches end
//! offsets.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{info, warn};
use windrow_engine::halt::{InputFault, SharedError, SourceOperation, UnreachableService, share_error};
use windrow_engine::{Halt, Partition, PartitionOffsets, RetryBackoff, StopSignal};

use super::description::{self, TopicMetadata};
use crate::kafka::client_config;
use crate::kafka::fault::classify_error_code;
use crate::kafka::halts::{build_refused_operation_halt, kafka_service_address};
use crate::outage::OutageTracker;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const MIN_REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
/// How long to wait for a topic's id. After this time, the job starts without the id, and asks for it again.
const TOPIC_ID_TIMEOUT: Duration = Duration::from_secs(1);
/// How long brokers may answer that a topic does not exist although another broker has just created it.
const TOPIC_PROPAGATION_TIMEOUT: Duration = Duration::from_secs(2);
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// The name, the id and the number of partitions of a topic. A topic that is deleted and created again gets another id.
#[derive(Clone, Debug)]
pub struct TopicIdentity {
    /// The name of the topic.
    pub name: String,
    /// The number of partitions. Partitions are numbered from 0.
    pub partition_count: Partition,
    /// The topic's id in base64, as Kafka's tools print it. `None` if the broker is older than Kafka 2.8, which
    /// introduced ids, or does not report the id in time.
    pub id: Option<String>,
}

/// What to do about a topic that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissingTopicPolicy {
    /// The lookup fails.
    Refuse,
    /// The lookup creates the topic, if the broker allows that.
    Create {
        /// The number of partitions; `None` for the broker's default.
        partition_count: Option<Partition>,
    },
}

/// Waits until Kafka at `brokers` answers and has topic `name`. `missing_topic` decides what happens if the topic does
/// not exist. Returns `None` if `stop` asks the process to stop during the wait.
///
/// # Errors
/// [`Halt::Unreachable`] when Kafka does not answer within `timeout`. [`Halt::Input`] when the topic does not exist and
/// is not created. [`Halt::Refused`] when Kafka denies access to the topic.
pub fn wait_for_topic(
    brokers: &str,
    name: &str,
    missing_topic: MissingTopicPolicy,
    timeout: Option<Duration>,
    stop: &StopSignal,
) -> Result<Option<TopicIdentity>, Halt> {
    let consumer: BaseConsumer = client_config::base_config(brokers).create().map_err(|error: KafkaError| {
        InputFault::InvalidEndpoint { service: kafka_service_address(brokers), source: share_error(error) }
    })?;
    let started = Instant::now();
    let mut outage = OutageTracker::default();
    let mut backoff = RetryBackoff::new(MIN_RETRY_DELAY, MAX_RETRY_DELAY);
    let mut created = false;
    let mut missing_since = None;
    while !stop.is_requested() {
        let left = timeout.map_or(REQUEST_TIMEOUT, |timeout| timeout.saturating_sub(started.elapsed()));
        match look_up_topic(&consumer, name, left.clamp(MIN_REQUEST_TIMEOUT, REQUEST_TIMEOUT)) {
            Ok(TopicMetadata { partition_count: partitions, topic_id: id }) => {
                if outage.record_success().is_some() {
                    info!(brokers, "Kafka is reachable");
                }
                return Ok(Some(TopicIdentity { name: name.to_owned(), partition_count: partitions, id }));
            }
            Err(TopicLookupError::Missing) if created => {} // this broker does not know the new topic yet
            Err(TopicLookupError::Missing) => match missing_topic {
                MissingTopicPolicy::Create { partition_count } => {
                    create_topic(brokers, name, partition_count)?;
                    created = true;
                    backoff.reset();
                }
                MissingTopicPolicy::Refuse => {
                    if missing_since.get_or_insert_with(Instant::now).elapsed() >= TOPIC_PROPAGATION_TIMEOUT {
                        return Err(build_unknown_topic_fault(&consumer, brokers, name).into());
                    }
                }
            },
            Err(TopicLookupError::Refused(code)) => {
                return Err(build_refused_operation_halt(
                    brokers,
                    SourceOperation::DescribeTopic(name.to_owned()),
                    code,
                ));
            }
            Err(TopicLookupError::NotReachable(code)) => {
                missing_since = None;
                if outage.record_failure(&code.to_string()).is_some() {
                    warn!(brokers, reason = %code, "waiting for Kafka");
                }
                if let Some(timeout) = timeout
                    && started.elapsed() >= timeout
                {
                    return Err(UnreachableService::Source {
                        service: kafka_service_address(brokers),
                        waited: started.elapsed(),
                        source: share_error(code),
                    }
                    .into());
                }
            }
        }
        thread::sleep(backoff.next_delay());
    }
    Ok(None)
}

enum TopicLookupError {
    Missing,
    Refused(RDKafkaErrorCode),
    NotReachable(RDKafkaErrorCode),
}

fn look_up_topic(consumer: &BaseConsumer, name: &str, timeout: Duration) -> Result<TopicMetadata, TopicLookupError> {
    match fetch_partition_count(consumer, name, timeout) {
        Ok(0) | Err(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            Err(TopicLookupError::Missing)
        }
        Ok(partitions) => Ok(TopicMetadata { partition_count: partitions, topic_id: fetch_topic_id(consumer, name) }),
        Err(code) if !classify_error_code(code).may_retry() => Err(TopicLookupError::Refused(code)),
        Err(code) => Err(TopicLookupError::NotReachable(code)),
    }
}

/// Returns the topic's id, or `None` if the broker does not report an id. For example, librdkafka's mock broker does
/// not answer the request.
fn fetch_topic_id(consumer: &BaseConsumer, name: &str) -> Option<String> {
    let id = description::describe_topic(consumer.client(), name, TOPIC_ID_TIMEOUT)
        .ok()
        .and_then(|described| described.topic_id);
    if id.is_none() {
        info!(
            topic = name,
            "Kafka does not report the topic's id yet: until it does, a topic created again with the same name goes unnoticed"
        );
    }
    id
}

/// Returns the number of partitions of topic `name`.
pub(crate) fn fetch_partition_count<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    name: &str,
    timeout: Duration,
) -> Result<Partition, RDKafkaErrorCode> {
    let unknown = RDKafkaErrorCode::UnknownTopicOrPartition;
    let metadata = consumer
        .fetch_metadata(Some(name), timeout)
        .map_err(|error| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name).ok_or(unknown)?;
    match topic.error() {
        None => Ok(Partition::try_from(topic.partitions().len()).unwrap_or(Partition::MAX)),
        Some(error) => Err(error.into()),
    }
}

/// Returns the fault of a missing topic, with the topics that exist.
fn build_unknown_topic_fault(consumer: &BaseConsumer, brokers: &str, name: &str) -> InputFault {
    // Without this answer the message lists no similar topics, and remains true.
    let existing_topics = consumer.fetch_metadata(None, REQUEST_TIMEOUT).map_or_else(
        |_| Vec::new(),
        |metadata| metadata.topics().iter().map(|topic| topic.name().to_owned()).collect(),
    );
    InputFault::UnknownTopic { topic: name.to_owned(), service: kafka_service_address(brokers), existing_topics }
}

fn create_topic(brokers: &str, name: &str, partition_count: Option<Partition>) -> Result<(), Halt> {
    let refused = |source: SharedError| -> Halt {
        InputFault::TopicNotCreated { topic: name.to_owned(), service: kafka_service_address(brokers), source }.into()
    };
    let admin: AdminClient<DefaultClientContext> =
        client_config::base_config(brokers).create().map_err(|error| refused(share_error(error)))?;
    let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT)).request_timeout(Some(REQUEST_TIMEOUT));
    // −1 selects the broker's default number of partitions and of replicas.
    let topic = NewTopic::new(name, partition_count.unwrap_or(-1), TopicReplication::Fixed(-1));
    let results = futures_executor::block_on(admin.create_topics([&topic], &options))
        .map_err(|error| refused(share_error(error)))?;
    for result in results {
        match result {
            Ok(_) => info!(topic = name, partition_count, "the topic did not exist; it was created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(refused(share_error(code))),
        }
    }
    Ok(())
}

impl TopicIdentity {
    /// Returns the current end offset of each partition.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn fetch_end_offsets(&self, brokers: &str) -> Result<PartitionOffsets, Halt> {
        let failed = |error: KafkaError| UnreachableService::TopicEndsUnknown {
            service: kafka_service_address(brokers),
            topic: self.name.clone(),
            source: share_error(error),
        };
        let consumer: BaseConsumer = client_config::base_config(brokers).create().map_err(failed)?;
        (0..self.partition_count)
            .map(|partition| {
                let (_, end) = consumer.fetch_watermarks(&self.name, partition, REQUEST_TIMEOUT).map_err(failed)?;
                Ok((partition, end))
            })
            .collect()
    }
}
