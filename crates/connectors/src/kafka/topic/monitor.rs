//! Checks that the topic is still the same as when the job began.
//!
//! An offset identifies a record only within one topic. A topic that was deleted and created again has the same name
//! but other records, so stored offsets are wrong for it. A key stays in its partition only while the number of
//! partitions stays the same. So when a partition is added, some keys move to another partition. The windows with the
//! earlier events of these keys stay in the old partition.
//! Owns: the comparison with the expected topic, and how long a topic may be missing. Does not own: how often to check.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tracing::{info, warn};
use windrow_engine::checkpoint::TopicIdentityCheck;
use windrow_engine::halt::{AddedPartitions, InputFault, RecreatedTopic};
use windrow_engine::{Halt, HeldOffsets, Partition, PartitionOffsets, RetryBackoff};

use super::description::{self, TopicMetadata};
use super::lookup::{self, TopicIdentity};
use super::partition_bounds;
use crate::kafka::client_config;
use crate::kafka::client_context::LoggingContext;
use crate::kafka::halts::build_refused_settings_halt;
use crate::outage::SharedOutageTracker;

/// How long one request may take. Without an answer the topic counts as unchanged.
const TOPIC_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// The delays between two requests for a topic id that is unknown.
const MIN_TOPIC_ID_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_TOPIC_ID_RETRY_DELAY: Duration = Duration::from_secs(60);
/// How long a topic may be missing before it counts as deleted. A shorter absence may be harmless, because brokers
/// receive new metadata at different times.
const MISSING_TIMEOUT: Duration = Duration::from_secs(10);

/// Monitors the identity of one topic, and whether Kafka is reachable. Threads may share a monitor.
pub struct TopicMonitor {
    expected: TopicIdentity,
    consumer: BaseConsumer<LoggingContext>,
    /// Asks for end offsets that include the records of open transactions.
    log_end_consumer: BaseConsumer<LoggingContext>,
    last_observation: Mutex<TopicObservation>,
    reachability: SharedOutageTracker,
    last_end_offsets: Mutex<PartitionOffsets>,
    topic_id_requests: Mutex<TopicIdRequests>,
}

/// When to ask again for a topic id that is unknown. Brokers before Kafka 2.8 never report one.
struct TopicIdRequests {
    backoff: RetryBackoff,
    next_request_at: Instant,
}

/// The reaction to partitions that were added after the job began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionGrowthPolicy {
    /// Log the added partitions and continue the job. Producers send some keys to the new partitions. So the open
    /// windows of these keys are split between the old partition and the new one.
    Accept,
    /// Halt the job.
    Refuse,
}

/// The result of the last check, and the number of partitions that later checks accept.
struct TopicObservation {
    /// The topic's id, if Kafka has reported it. Later checks expect this id.
    topic_id: Option<String>,
    /// The largest number of partitions that later checks accept; `None` if later checks accept any number.
    accepted_partitions_max: Option<Partition>,
    last_partition_count: Partition,
    missing_since: Option<Instant>,
}

impl TopicMonitor {
    /// Creates a monitor that compares the topic in Kafka with `topic`, the expected topic. `topic` may come from a
    /// checkpoint.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(topic: &TopicIdentity, brokers: &str, growth: PartitionGrowthPolicy) -> Result<Self, Halt> {
        let consumer = client_config::base_config(brokers)
            .create_with_context(LoggingContext)
            .map_err(|error| build_refused_settings_halt(brokers, error))?;
        let log_end_consumer = client_config::log_end_config(brokers)
            .create_with_context(LoggingContext)
            .map_err(|error| build_refused_settings_halt(brokers, error))?;
        let observation = TopicObservation {
            topic_id: topic.id.clone(),
            accepted_partitions_max: (growth == PartitionGrowthPolicy::Refuse).then_some(topic.partition_count),
            last_partition_count: topic.partition_count,
            missing_since: None,
        };
        let (reach, ends) = (SharedOutageTracker::default(), Mutex::default());
        let topic_id_requests = TopicIdRequests {
            backoff: RetryBackoff::new(MIN_TOPIC_ID_RETRY_DELAY, MAX_TOPIC_ID_RETRY_DELAY),
            next_request_at: Instant::now(),
        };
        Ok(Self {
            expected: topic.clone(),
            consumer,
            log_end_consumer,
            last_observation: Mutex::new(observation),
            reachability: reach,
            last_end_offsets: ends,
            topic_id_requests: Mutex::new(topic_id_requests),
        })
    }

    /// Compares the topic in Kafka with the expected topic. Takes at most about 2 s. Returns `Ok` if Kafka is
    /// unreachable.
    ///
    /// # Errors
    /// [`Halt::TopicRecreated`] if the topic was deleted and created again. [`Halt::PartitionsAdded`] if partitions
    /// were added and the policy is to refuse them. [`Halt::Input`] after the topic has been missing for 10 s.
    pub fn verify_topic_unchanged(&self) -> Result<(), Halt> {
        // This poll discards the client's events, which would otherwise fill the client's queue.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let name = &self.expected.name;
        let described = if self.known_topic_id().is_some() {
            description::describe_topic(self.consumer.client(), name, TOPIC_REQUEST_TIMEOUT)
        } else {
            lookup::fetch_partition_count(&self.consumer, name, TOPIC_REQUEST_TIMEOUT)
                .map(|partitions| TopicMetadata { partition_count: partitions, topic_id: None })
        };
        match &described {
            Ok(_) | Err(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                self.reachability.mark_reachable();
            }
            Err(code) => self.reachability.mark_unreachable(&format!("no answer: {code}")),
        }
        match described {
            Ok(described) => self.verify_metadata_unchanged(&described),
            Err(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                self.halt_if_missing_too_long()
            }
            Err(_) => Ok(()),
        }
    }

    /// Returns the first and end offsets of `partitions`. Omits partitions whose leader does not answer. The monitor asks
    /// on connections of its own: Kafka answers the requests of a connection one after another, and the connection of a
    /// consumer that has read all records always has a fetch that waits for new ones.
    pub(crate) fn fetch_partition_bounds(&self, partitions: &[Partition]) -> BTreeMap<Partition, HeldOffsets> {
        if partitions.is_empty() || !self.refresh_leaders() {
            return BTreeMap::new();
        }
        partition_bounds::fetch_partition_bounds(&self.consumer, &self.expected.name, partitions)
    }

    /// Returns where `partitions` end now, including the records of open transactions. Omits partitions whose leader does not
    /// answer. Takes some seconds if no broker answers.
    pub(crate) fn fetch_log_end_offsets(&self, partitions: &[Partition]) -> PartitionOffsets {
        let (consumer, topic) = (&self.log_end_consumer, &self.expected.name);
        // This poll discards the client's events, which would otherwise fill the client's queue.
        while consumer.poll(Duration::ZERO).is_some() {}
        if lookup::fetch_partition_count(consumer, topic, TOPIC_REQUEST_TIMEOUT).is_err() {
            return PartitionOffsets::new();
        }
        let ends = partition_bounds::fetch_end_offsets(consumer, topic, partitions, TOPIC_REQUEST_TIMEOUT);
        ends.unwrap_or_default()
    }

    /// Fetches the end offsets of all partitions, with one request to each broker. If Kafka does not report the end
    /// offset of a partition, the monitor keeps the previous end offset. Takes some seconds if no broker answers.
    pub fn refresh_end_offsets(&self) {
        if !self.refresh_leaders() {
            return;
        }
        let partitions: Vec<Partition> = (0..self.last_partition_count()).collect();
        let found = partition_bounds::fetch_end_offsets(
            &self.consumer,
            &self.expected.name,
            &partitions,
            TOPIC_REQUEST_TIMEOUT,
        );
        self.last_end_offsets.lock().extend(found.unwrap_or_default());
    }

    /// Asks for the leaders of the topic's partitions. librdkafka notices a new leader only where it reads records, and this
    /// consumer reads none: without this request, it would ask a former leader for ever. Returns `false` without an answer.
    fn refresh_leaders(&self) -> bool {
        lookup::fetch_partition_count(&self.consumer, &self.expected.name, TOPIC_REQUEST_TIMEOUT).is_ok()
    }

    /// Returns the number of partitions when the job began.
    pub(crate) const fn expected_partition_count(&self) -> Partition {
        self.expected.partition_count
    }

    /// Returns the number of partitions found by the last check.
    #[must_use]
    pub fn last_partition_count(&self) -> Partition {
        self.last_observation.lock().last_partition_count
    }

    /// Returns the end offsets found by the last refresh.
    #[must_use]
    pub fn last_end_offsets(&self) -> PartitionOffsets {
        self.last_end_offsets.lock().clone()
    }

    /// Returns the tracker of Kafka's outages, which this monitor and the sources update.
    #[must_use]
    pub fn reachability(&self) -> &SharedOutageTracker {
        &self.reachability
    }

    /// Returns the topic's id; `None` if Kafka has not reported it yet.
    #[must_use]
    pub fn known_topic_id(&self) -> Option<String> {
        self.last_observation.lock().topic_id.clone()
    }

    /// Asks Kafka for the topic's id if no answer has contained it yet. Later checks expect the id. If Kafka does not
    /// report it, later calls ask again, at most once a minute after some calls. Takes at most about 2 s.
    pub fn ask_for_unknown_topic_id(&self) {
        if self.known_topic_id().is_some() {
            return;
        }
        let now = Instant::now();
        {
            let mut requests = self.topic_id_requests.lock();
            if now < requests.next_request_at {
                return;
            }
            requests.next_request_at = now + requests.backoff.next_delay();
        }
        let described = description::describe_topic(self.consumer.client(), &self.expected.name, TOPIC_REQUEST_TIMEOUT);
        if let Ok(TopicMetadata { topic_id: Some(id), .. }) = described {
            info!(
                topic = self.expected.name,
                id, "Kafka reports the topic's id now: a topic created again with the same name is noticed from now on"
            );
            self.last_observation.lock().topic_id.get_or_insert(id);
        }
    }

    /// Returns a function that calls [`Self::verify_topic_unchanged`] and returns the topic's id if it is known, for
    /// crates that do not depend on Kafka.
    #[must_use]
    pub fn to_topic_check_function(self: &Arc<Self>) -> TopicIdentityCheck {
        let monitor = Arc::clone(self);
        Arc::new(move || {
            monitor.verify_topic_unchanged()?;
            Ok(monitor.known_topic_id())
        })
    }

    fn verify_metadata_unchanged(&self, described: &TopicMetadata) -> Result<(), Halt> {
        let mut observation = self.last_observation.lock();
        if observation.missing_since.take().is_some() {
            info!(topic = self.expected.name, "the topic exists again");
        }
        let name = &self.expected.name;
        if let (Some(known), Some(found)) = (&observation.topic_id, &described.topic_id)
            && known != found
        {
            return Err(RecreatedTopic {
                topic: name.clone(),
                known_topic_id: known.clone(),
                found_topic_id: found.clone(),
                known_from_checkpoint: None,
            }
            .into());
        }
        let (known, found) = (self.expected.partition_count, described.partition_count);
        if observation.accepted_partitions_max.is_some_and(|limit| found > limit) {
            return Err(AddedPartitions {
                topic: name.clone(),
                known_partition_count: known,
                found_partition_count: found,
                known_from_checkpoint: None,
            }
            .into());
        }
        if found > observation.last_partition_count {
            warn!(
                topic = name,
                partitions = found,
                before = observation.last_partition_count,
                "partitions were added, and the job continues as configured; windows that are open now are split"
            );
            observation.last_partition_count = found;
        }
        Ok(())
    }

    fn halt_if_missing_too_long(&self) -> Result<(), Halt> {
        let mut observation = self.last_observation.lock();
        let since = *observation.missing_since.get_or_insert_with(|| {
            warn!(topic = self.expected.name, "the topic does not exist");
            Instant::now()
        });
        if since.elapsed() < MISSING_TIMEOUT {
            return Ok(());
        }
        Err(InputFault::TopicDeleted { topic: self.expected.name.clone() }.into())
    }
}
