//! One worker's place in the consumer group: which partitions it gets, and commits in its name.
//!
//! A member reads nothing. Until an announcement is answered, librdkafka pauses everything its consumer is assigned; a
//! worker restores state before it takes a partition over, and takes a checkpoint before it gives one up, while its
//! other partitions go on. So the member's consumer is never assigned a partition, its answers are empty lists, and
//! records come through a [`super::reader::Reader`]. (Measured: `docs/adr/0012-member-and-reader.md`.)
//! librdkafka announces a rebalance from inside a poll and then waits for the answer. The announcement is only noted
//! there; the worker answers it between two polls.
//! Invariant: every announcement is answered once, by the worker, or here once the consumer is closing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, error, warn};
use windrow_engine::{Halt, Partition};
use windrow_spec::KafkaSource as Settings;

use super::group_guard::GroupGuard;
use super::leaving::Leaving;
use super::{client, logs};

/// An announcement that waits for its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Announcement {
    Assigned(Vec<Partition>),
    Revoked { partitions: Vec<Partition>, lost: bool },
}

/// A member of the consumer group; it leaves when dropped.
pub(super) struct Member {
    consumer: Leaving<Announcements>,
    topic: String,
    group: Option<Arc<GroupGuard>>,
    /// The announcement the worker was told of and has not answered yet.
    unanswered: Option<Announcement>,
}

impl Member {
    /// Joins the group, under a name of its own where it has an `instance`, and again where `group` says so.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(super) fn join(
        settings: &Settings,
        instance: Option<&str>,
        group: Option<Arc<GroupGuard>>,
    ) -> Result<Self, Halt> {
        let consumer: BaseConsumer<Announcements> = client::member(settings, instance)
            .create_with_context(Announcements::default())
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka consumer: {error}")))?;
        let member = Self { consumer: Leaving::new(consumer), topic: settings.topic.clone(), group, unanswered: None };
        member.subscribe()?;
        Ok(member)
    }

    fn subscribe(&self) -> Result<(), Halt> {
        let refused = |error| Halt::Refused(format!("cannot subscribe to topic `{}`: {error}", self.topic));
        self.consumer.subscribe(&[&self.topic]).map_err(refused)
    }

    /// Joins the group again if its guard wants that: the worker hears that what it has was revoked, and gets its share
    /// anew.
    ///
    /// # Errors
    /// When librdkafka refuses to.
    pub(super) fn join_again_if_wanted(&self) -> Result<(), Halt> {
        if self.unanswered.is_some() || !self.group.as_ref().is_some_and(|group| group.wants_another_join()) {
            return Ok(());
        }
        self.consumer.unsubscribe();
        self.subscribe()
    }

    /// Hears what the group has to say; an error of it, if there is one.
    pub(super) fn poll(&self) -> Option<KafkaError> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(error)) => Some(error),
            // It is assigned nothing, so there are no records.
            Some(Ok(_)) | None => None,
        }
    }

    /// What the worker has to hear next, once.
    pub(super) fn announcement(&mut self) -> Option<Announcement> {
        let announced = self.consumer.context().next();
        if announced.is_some() {
            self.unanswered.clone_from(&announced);
        }
        announced
    }

    /// The worker reads the partitions it was assigned.
    pub(super) fn taken_over(&mut self) -> KafkaResult<()> {
        self.unanswered = None;
        self.consumer.incremental_assign(&TopicPartitionList::new())
    }

    /// The worker no longer reads the partitions that were revoked.
    pub(super) fn given_up(&mut self) -> KafkaResult<()> {
        self.unanswered = None;
        self.consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// For commits, which count only while the group still knows this member.
    pub(super) fn share(&self) -> Arc<BaseConsumer<Announcements>> {
        self.consumer.share()
    }

    /// Why librdkafka has ended this consumer for good, if it has.
    pub(super) fn fatal_error(&self) -> Option<(rdkafka::error::RDKafkaErrorCode, String)> {
        self.consumer.client().fatal_error()
    }
}

impl Drop for Member {
    /// Answers an announcement that has no answer yet, or the group would wait for it; then the consumer leaves.
    fn drop(&mut self) {
        self.consumer.context().closing.store(true, Ordering::Release);
        let unanswered = self.unanswered.take().or_else(|| self.announcement());
        let answered = match unanswered {
            Some(Announcement::Assigned(_)) => self.taken_over(),
            Some(Announcement::Revoked { .. }) => self.given_up(),
            None => Ok(()),
        };
        if let Err(error) = answered {
            warn!(%error, "could not answer the group");
        }
    }
}

/// Where librdkafka leaves its announcements.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    waiting: Mutex<VecDeque<Announcement>>,
    /// From now on, announcements are answered as soon as they are made.
    closing: AtomicBool,
}

impl Announcements {
    fn next(&self) -> Option<Announcement> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl ConsumerContext for Announcements {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let answered = if assigned || !matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
                consumer.unassign()
            } else {
                consumer.incremental_unassign(&TopicPartitionList::new())
            };
            if let Err(error) = answered {
                error!(%error, "could not give partitions up while leaving the group");
            }
            return;
        }
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        let announcement = if assigned {
            Announcement::Assigned(partitions)
        } else {
            Announcement::Revoked { partitions, lost: consumer.assignment_lost() }
        };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(announcement);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            warn!(%error, "offsets were not committed; the next commit covers them, at the latest the one at the end");
        }
    }
}

impl ClientContext for Announcements {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        logs::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, reason);
    }
}
