//! Checks that the topic is still the one that the job began with.
//!
//! An offset identifies a record only within one topic: a topic that was deleted and created again has the same name and
//! other records. A partition holds the same users only while the number of partitions stays: when one is added, keys move.
//! Owns: the comparison, and how long a topic may be missing. Does not own: how often to check.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tracing::{info, warn};
use windrow_engine::halt::{AddedPartitions, InputFault, RecreatedTopic};
use windrow_engine::{Halt, Partition, PartitionOffsets};

use super::description::{self, TopicMetadata};
use super::lookup::{self, TopicIdentity};
use super::partition_bounds;
use crate::kafka::client;
use crate::kafka::client_context::LoggingContext;
use crate::kafka::halts::refuse_client;
use crate::outage::Reachability;

/// How long one request may take; without an answer the topic counts as unchanged.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a topic may be missing before it counts as deleted: metadata reaches brokers one by one.
const MISSING_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks one topic, and whether Kafka is reachable. Threads may share it.
pub struct TopicMonitor {
    expected: TopicIdentity,
    consumer: BaseConsumer<LoggingContext>,
    observation: Mutex<TopicObservation>,
    reachability: Reachability,
    end_offsets: Mutex<PartitionOffsets>,
}

/// What to do when the topic has more partitions than the job began with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionGrowth {
    /// Log it: the user accepts that windows open at that moment are split.
    Accept,
    /// Halt the job.
    Refuse,
}

/// What the last check found.
struct TopicObservation {
    /// The most partitions that are accepted; `None` where any number is.
    partition_limit: Option<Partition>,
    /// The number found by the last check.
    partition_count: Partition,
    missing_since: Option<Instant>,
}

impl TopicMonitor {
    /// Creates a monitor that compares with `topic`, which may come from a checkpoint.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(topic: &TopicIdentity, brokers: &str, growth: PartitionGrowth) -> Result<Self, Halt> {
        let consumer = client::base_config(brokers)
            .create_with_context(LoggingContext)
            .map_err(|error| refuse_client(brokers, error))?;
        let observation = TopicObservation {
            partition_limit: (growth == PartitionGrowth::Refuse).then_some(topic.partition_count),
            partition_count: topic.partition_count,
            missing_since: None,
        };
        let (reach, ends) = (Reachability::default(), Mutex::default());
        Ok(Self {
            expected: topic.clone(),
            consumer,
            observation: Mutex::new(observation),
            reachability: reach,
            end_offsets: ends,
        })
    }

    /// Checks the topic; takes at most about 2 s. An unreachable Kafka is no error.
    ///
    /// # Errors
    /// [`Halt::TopicRecreated`], [`Halt::PartitionsAdded`], or [`Halt::Input`] where the topic has been gone for 10 s.
    pub fn check(&self) -> Result<(), Halt> {
        // The client's own events are of no interest here, but must not pile up.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let name = &self.expected.name;
        let described = if self.expected.id.is_some() {
            description::describe_topic(self.consumer.client(), name, LOOKUP_TIMEOUT)
        } else {
            lookup::fetch_partition_count(&self.consumer, name, LOOKUP_TIMEOUT)
                .map(|partitions| TopicMetadata { partition_count: partitions, id: None })
        };
        match &described {
            Ok(_) | Err(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                self.reachability.mark_reachable();
            }
            Err(code) => self.reachability.mark_unreachable(&format!("no answer: {code}")),
        }
        match described {
            Ok(described) => self.compare_metadata(&described),
            Err(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                self.handle_missing_topic()
            }
            Err(_) => Ok(()),
        }
    }

    /// Asks Kafka where the topic's partitions end, with one request to each broker. Takes some seconds where none answers;
    /// offsets that Kafka does not report stay as they were.
    pub fn refresh_end_offsets(&self) {
        let partitions: Vec<Partition> = (0..self.partition_count()).collect();
        let found =
            partition_bounds::fetch_end_offsets(&self.consumer, &self.expected.name, &partitions, LOOKUP_TIMEOUT);
        self.end_offsets.lock().unwrap_or_else(PoisonError::into_inner).extend(found.unwrap_or_default());
    }

    /// Returns the number of partitions found by the last check.
    #[must_use]
    pub fn partition_count(&self) -> Partition {
        self.observation.lock().unwrap_or_else(PoisonError::into_inner).partition_count
    }

    /// Returns the end offsets found by the last [`Self::refresh_end_offsets`].
    #[must_use]
    pub fn end_offsets(&self) -> PartitionOffsets {
        self.end_offsets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether Kafka is reachable, as [`Self::check`] and the sources found out.
    #[must_use]
    pub fn reachability(&self) -> &Reachability {
        &self.reachability
    }

    /// Returns the check as a function, for callers that do not depend on Kafka.
    #[must_use]
    pub fn to_check_fn(self: &Arc<Self>) -> Arc<dyn Fn() -> Result<(), Halt> + Send + Sync> {
        let monitor = Arc::clone(self);
        Arc::new(move || monitor.check())
    }

    fn compare_metadata(&self, described: &TopicMetadata) -> Result<(), Halt> {
        let mut observation = self.observation.lock().unwrap_or_else(PoisonError::into_inner);
        if observation.missing_since.take().is_some() {
            info!(topic = self.expected.name, "the topic exists again");
        }
        let name = &self.expected.name;
        if let (Some(known), Some(found)) = (&self.expected.id, &described.id)
            && known != found
        {
            return Err(RecreatedTopic {
                topic: name.clone(),
                known_id: known.clone(),
                found_id: found.clone(),
                checkpoint: None,
            }
            .into());
        }
        let (known, found) = (self.expected.partition_count, described.partition_count);
        if observation.partition_limit.is_some_and(|limit| found > limit) {
            return Err(AddedPartitions { topic: name.clone(), known, found, checkpoint: None }.into());
        }
        if found > observation.partition_count {
            warn!(
                topic = name,
                partitions = found,
                before = observation.partition_count,
                "partitions were added, which is accepted: windows open now are split"
            );
            observation.partition_count = found;
        }
        Ok(())
    }

    fn handle_missing_topic(&self) -> Result<(), Halt> {
        let mut observation = self.observation.lock().unwrap_or_else(PoisonError::into_inner);
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
