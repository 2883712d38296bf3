//! One worker's place in the consumer group: which partitions it gets, and commits in its name.
//!
//! A member reads nothing. Until an announcement is answered, librdkafka pauses everything its consumer is assigned; a
//! worker restores state before it takes a partition over, and takes a checkpoint before it gives one up, while its
//! other partitions go on. So the member's consumer is never assigned a partition, its answers are empty lists, and
//! records come through a `RecordConsumer`. (Measured: `docs/adr/0012-member-and-reader.md`.)
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
use windrow_spec::KafkaSourceSpec as Settings;

use super::monitor::GroupMonitor;
use crate::kafka::bounded_close::BoundedCloseConsumer;
use crate::kafka::client;
use crate::kafka::client_context;

/// An announcement that waits for its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RebalanceEvent {
    Assigned(Vec<Partition>),
    Revoked { partitions: Vec<Partition>, lost: bool },
}

/// A member of the consumer group; it leaves when dropped.
pub(crate) struct GroupMembership {
    consumer: BoundedCloseConsumer<RebalanceQueue>,
    topic: String,
    group_monitor: Option<Arc<GroupMonitor>>,
    /// The announcement the worker was told of and has not answered yet.
    unanswered: Option<RebalanceEvent>,
}

impl GroupMembership {
    /// Joins the group, under a name of its own where it has an `instance`, and again where `group` says so.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(crate) fn join(
        settings: &Settings,
        instance: Option<&str>,
        group: Option<Arc<GroupMonitor>>,
    ) -> Result<Self, Halt> {
        let consumer: BaseConsumer<RebalanceQueue> = client::member_config(settings, instance)
            .create_with_context(RebalanceQueue::default())
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka consumer: {error}")))?;
        let member = Self {
            consumer: BoundedCloseConsumer::new(consumer),
            topic: settings.topic.clone(),
            group_monitor: group,
            unanswered: None,
        };
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
    pub(crate) fn rejoin_if_requested(&self) -> Result<(), Halt> {
        if self.unanswered.is_some() || !self.group_monitor.as_ref().is_some_and(|group| group.take_rejoin_request()) {
            return Ok(());
        }
        self.consumer.unsubscribe();
        self.subscribe()
    }

    /// Hears what the group has to say; an error of it, if there is one.
    pub(crate) fn poll_error(&self) -> Option<KafkaError> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(error)) => Some(error),
            // It is assigned nothing, so there are no records.
            Some(Ok(_)) | None => None,
        }
    }

    /// What the worker has to hear next, once.
    pub(crate) fn next_rebalance(&mut self) -> Option<RebalanceEvent> {
        let announced = self.consumer.context().pop_event();
        if announced.is_some() {
            self.unanswered.clone_from(&announced);
        }
        announced
    }

    /// The worker reads the partitions it was assigned.
    pub(crate) fn acknowledge_assignment(&mut self) -> KafkaResult<()> {
        self.unanswered = None;
        self.consumer.incremental_assign(&TopicPartitionList::new())
    }

    /// The worker no longer reads the partitions that were revoked.
    pub(crate) fn acknowledge_revocation(&mut self) -> KafkaResult<()> {
        self.unanswered = None;
        self.consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// For commits, which count only while the group still knows this member.
    pub(crate) fn share_consumer(&self) -> Arc<BaseConsumer<RebalanceQueue>> {
        self.consumer.share_consumer()
    }

    /// Why librdkafka has ended this consumer for good, if it has.
    pub(crate) fn fatal_error(&self) -> Option<(rdkafka::error::RDKafkaErrorCode, String)> {
        self.consumer.client().fatal_error()
    }
}

impl Drop for GroupMembership {
    /// Answers an announcement that has no answer yet, or the group would wait for it; then the consumer leaves.
    fn drop(&mut self) {
        self.consumer.context().closing.store(true, Ordering::Release);
        let unanswered = self.unanswered.take().or_else(|| self.next_rebalance());
        let answered = match unanswered {
            Some(RebalanceEvent::Assigned(_)) => self.acknowledge_assignment(),
            Some(RebalanceEvent::Revoked { .. }) => self.acknowledge_revocation(),
            None => Ok(()),
        };
        if let Err(error) = answered {
            warn!(%error, "could not answer the group");
        }
    }
}

/// Where librdkafka leaves its announcements.
#[derive(Debug, Default)]
pub(crate) struct RebalanceQueue {
    pending: Mutex<VecDeque<RebalanceEvent>>,
    /// From now on, announcements are answered as soon as they are made.
    closing: AtomicBool,
}

impl RebalanceQueue {
    fn pop_event(&self) -> Option<RebalanceEvent> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl ConsumerContext for RebalanceQueue {
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
            RebalanceEvent::Assigned(partitions)
        } else {
            RebalanceEvent::Revoked { partitions, lost: consumer.assignment_lost() }
        };
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push_back(announcement);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            warn!(%error, "offsets were not committed; the next commit covers them, at the latest the one at the end");
        }
    }
}

impl ClientContext for RebalanceQueue {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_context::log_librdkafka_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, reason);
    }
}
