//! Whether the topic is still the one the job began with.
//!
//! Offsets mean records only within one topic: one that was deleted and created again has the same name and other
//! records. And a partition means users only while their number stays: where one is added, keys move.
//! Owns: the comparison, and how long a topic may be missing. Does not own: how often it is made.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tracing::{info, warn};
use windrow_engine::{Halt, Partition, Positions, Reachability};

use super::admin::{self, Topic};
use super::reader::Quiet;
use super::topic_id::{self, Described};
use super::{client, edges};

/// How long one look may take; a Kafka that does not answer by then says nothing about the topic.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
/// How long a topic may be missing before it counts as deleted: brokers learn of each other's changes one by one.
const MISSING_PATIENCE: Duration = Duration::from_secs(10);

/// Watches one topic. Threads may share it.
pub struct TopicGuard {
    topic: Topic,
    consumer: BaseConsumer<Quiet>,
    seen: Mutex<Seen>,
    reach: Reachability,
    ends: Mutex<Positions>,
}

struct Seen {
    /// More than this many partitions are too many; `None` where any number is accepted.
    limit: Option<Partition>,
    /// The number last seen.
    partitions: Partition,
    missing_since: Option<Instant>,
}

impl TopicGuard {
    /// A guard that compares with `topic`, which may be what a checkpoint says of it. Where `accept_partitions`, more
    /// partitions than `topic` has are only mentioned.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(topic: &Topic, brokers: &str, accept_partitions: bool) -> Result<Self, Halt> {
        let consumer = client::base(brokers)
            .create_with_context(Quiet)
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka client: {error}")))?;
        let seen = Seen {
            limit: (!accept_partitions).then_some(topic.partitions),
            partitions: topic.partitions,
            missing_since: None,
        };
        let (reach, ends) = (Reachability::default(), Mutex::default());
        Ok(Self { topic: topic.clone(), consumer, seen: Mutex::new(seen), reach, ends })
    }

    /// Looks at the topic again; takes at most some 2 s. A Kafka that does not answer is no reason to halt.
    ///
    /// # Errors
    /// [`Halt::TopicRecreated`], [`Halt::PartitionsAdded`], or [`Halt::Input`] where the topic has been gone for 10 s.
    pub fn check(&self) -> Result<(), Halt> {
        // What the client reports of itself is of no interest here, but must not pile up.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let name = &self.topic.name;
        let described = if self.topic.id.is_some() {
            topic_id::describe(self.consumer.client(), name, LOOK_PATIENCE)
        } else {
            admin::partitions(&self.consumer, name, LOOK_PATIENCE).map(|partitions| Described { partitions, id: None })
        };
        match &described {
            Ok(_) | Err(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                self.reach.back();
            }
            Err(code) => self.reach.away(&format!("no answer: {code}")),
        }
        match described {
            Ok(described) => self.compare(&described),
            Err(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => self.missing(),
            Err(_) => Ok(()),
        }
    }

    /// Asks Kafka where the topic's partitions end: one request to each broker, and some seconds where none answers. What it
    /// does not tell stays as it was.
    pub fn look_for_ends(&self) {
        let partitions: Vec<Partition> = (0..self.partitions()).collect();
        let found = edges::ends(&self.consumer, &self.topic.name, &partitions, LOOK_PATIENCE);
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).extend(found.unwrap_or_default());
    }

    /// How many partitions the topic had when it was looked at last.
    #[must_use]
    pub fn partitions(&self) -> Partition {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).partitions
    }

    /// Where partitions ended when that was asked last.
    #[must_use]
    pub fn ends(&self) -> Positions {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether Kafka answers. Found out by [`Self::check`], and by those who read and write.
    #[must_use]
    pub fn reach(&self) -> &Reachability {
        &self.reach
    }

    /// The check as a function, for those that know nothing of Kafka.
    #[must_use]
    pub fn as_check(self: &Arc<Self>) -> Arc<dyn Fn() -> Result<(), Halt> + Send + Sync> {
        let guard = Arc::clone(self);
        Arc::new(move || guard.check())
    }

    fn compare(&self, described: &Described) -> Result<(), Halt> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.missing_since.take().is_some() {
            info!(topic = self.topic.name, "the topic is there again");
        }
        let name = &self.topic.name;
        if let (Some(known), Some(found)) = (&self.topic.id, &described.id)
            && known != found
        {
            return Err(Halt::TopicRecreated(format!(
                "topic `{name}` was deleted and created again (its id was {known} and is {found}): its offsets mean other \
                 records now, so nothing this job knows fits them. Stop it, then start it with a new \
                 `source.kafka.group`, or delete this job's checkpoints and \
                 its keys `windrow:fence:…` in Redis."
            )));
        }
        let (known, found) = (self.topic.partitions, described.partitions);
        if seen.limit.is_some_and(|limit| found > limit) {
            return Err(Halt::PartitionsAdded(format!(
                "topic `{name}` has {found} partitions now, and had {known}: keys have moved between partitions, so the \
                 windows open at that moment would count only a part of a user's events. Start with \
                 `--accept-partitions` to accept that those windows are split, or with a new `source.kafka.group` to \
                 read everything anew."
            )));
        }
        if found > seen.partitions {
            warn!(
                topic = name,
                partitions = found,
                before = seen.partitions,
                "partitions were added, which is accepted: windows open now are split"
            );
            seen.partitions = found;
        }
        Ok(())
    }

    fn missing(&self) -> Result<(), Halt> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *seen.missing_since.get_or_insert_with(|| {
            warn!(topic = self.topic.name, "the topic is not there");
            Instant::now()
        });
        if since.elapsed() < MISSING_PATIENCE {
            return Ok(());
        }
        Err(Halt::Input(format!(
            "topic `{}` does not exist any more: it was deleted while the job ran. What was computed stays in the store. \
             Create the topic and start with a new `source.kafka.group`, or correct `source.kafka.topic`.",
            self.topic.name
        )))
    }
}
