//! A worker's member of the consumer group. Partitions are assigned to the member and it commits offsets, but it reads
//! no records.
//!
//! librdkafka pauses every partition of a consumer until a rebalance is acknowledged. A worker restores state before it
//! starts a partition, and takes a checkpoint before it releases one. Its other partitions must continue meanwhile. So
//! no partition is ever assigned to the member's own consumer: the member acknowledges with empty lists, and a
//! `RecordConsumer` reads the records. `docs/adr/0012-member-and-reader.md` has the measurements.
//! librdkafka announces a rebalance from inside a poll and waits for the acknowledgement. The callback only queues the
//! event. The worker acknowledges the event between two polls.
//! Invariant: every rebalance event is acknowledged once. The worker does that, or the callback while the consumer
//! closes.

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
use tracing::warn;
use windrow_engine::halt::SourceOperation;
use windrow_engine::{Halt, Partition};
use windrow_spec::KafkaSourceSpec;

use super::monitor::UnassignedPartitionMonitor;
use crate::kafka::bounded_close::BoundedCloseConsumer;
use crate::kafka::client;
use crate::kafka::client_context::{self, FatalClientError};
use crate::kafka::halts::{halt_for_refused_client, halt_for_refused_operation};

/// A rebalance that the worker must acknowledge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RebalanceEvent {
    /// These partitions were assigned to the member.
    Assigned(Vec<Partition>),
    /// The member must give up these partitions, and still owns them.
    Revoked(Vec<Partition>),
    /// These partitions already belong to other members.
    Lost(Vec<Partition>),
}

/// A member of the consumer group. Dropping it leaves the group.
pub(crate) struct GroupMembership {
    consumer: BoundedCloseConsumer<RebalanceEventQueue>,
    brokers: String,
    topic: String,
    group_monitor: Option<Arc<UnassignedPartitionMonitor>>,
    /// The event that the worker received and has not acknowledged.
    unacknowledged_event: Option<RebalanceEvent>,
}

impl GroupMembership {
    /// Joins the group, with the static name `instance` if that is given. The monitor `group` may request a rejoin
    /// later.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(crate) fn join(
        settings: &KafkaSourceSpec,
        instance: Option<&str>,
        group: Option<Arc<UnassignedPartitionMonitor>>,
    ) -> Result<Self, Halt> {
        let consumer: BaseConsumer<RebalanceEventQueue> = client::group_member_config(settings, instance)
            .create_with_context(RebalanceEventQueue::default())
            .map_err(|error| halt_for_refused_client(&settings.brokers, error))?;
        let member = Self {
            consumer: BoundedCloseConsumer::new(consumer),
            brokers: settings.brokers.clone(),
            topic: settings.topic.clone(),
            group_monitor: group,
            unacknowledged_event: None,
        };
        member.subscribe()?;
        Ok(member)
    }

    fn subscribe(&self) -> Result<(), Halt> {
        self.consumer.subscribe(&[&self.topic]).map_err(|error| {
            halt_for_refused_operation(&self.brokers, SourceOperation::Subscribe(self.topic.clone()), error)
        })
    }

    /// Leaves and joins the group again if the monitor requests it. The worker's partitions are revoked and assigned
    /// again.
    ///
    /// # Errors
    /// When librdkafka refuses the subscription.
    pub(crate) fn rejoin_if_requested(&self) -> Result<(), Halt> {
        if self.unacknowledged_event.is_some()
            || !self.group_monitor.as_ref().is_some_and(|group| group.take_rejoin_request())
        {
            return Ok(());
        }
        self.consumer.unsubscribe();
        self.subscribe()
    }

    /// Polls the group's events, and returns the error if the poll reports one.
    pub(crate) fn poll_group_for_error(&self) -> Option<KafkaError> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(error)) => Some(error),
            // The consumer has no partitions, so it receives no records.
            Some(Ok(_)) | None => None,
        }
    }

    /// Removes the next event from the queue and returns it for the worker.
    pub(crate) fn next_rebalance_event(&mut self) -> Option<RebalanceEvent> {
        let event = self.consumer.context().pop_event();
        if event.is_some() {
            self.unacknowledged_event.clone_from(&event);
        }
        event
    }

    /// Tells the group that the worker reads its assigned partitions.
    pub(crate) fn acknowledge_assignment(&mut self) -> KafkaResult<()> {
        self.unacknowledged_event = None;
        self.consumer.incremental_assign(&TopicPartitionList::new())
    }

    /// Tells the group that the worker no longer reads the revoked partitions.
    pub(crate) fn acknowledge_revocation(&mut self) -> KafkaResult<()> {
        self.unacknowledged_event = None;
        self.consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// Returns the consumer for commits. Kafka accepts commits only from a current member of the group.
    pub(crate) fn share_consumer(&self) -> Arc<BaseConsumer<RebalanceEventQueue>> {
        self.consumer.share_consumer()
    }

    /// Returns the fatal error with which librdkafka ended this consumer, if it did.
    pub(crate) fn fatal_error(&self) -> Option<FatalClientError> {
        self.consumer.client().fatal_error().map(|(code, reason)| FatalClientError { code, reason })
    }
}

impl Drop for GroupMembership {
    /// Acknowledges a pending event, because the group waits for it. Then the consumer leaves the group.
    fn drop(&mut self) {
        self.consumer.context().acknowledges_in_callback.store(true, Ordering::Release);
        let unacknowledged = self.unacknowledged_event.take().or_else(|| self.next_rebalance_event());
        let answered = match unacknowledged {
            Some(RebalanceEvent::Assigned(_)) => self.acknowledge_assignment(),
            Some(RebalanceEvent::Revoked(_) | RebalanceEvent::Lost(_)) => self.acknowledge_revocation(),
            None => Ok(()),
        };
        if let Err(error) = answered {
            warn!(%error, "could not acknowledge a rebalance");
        }
    }
}

/// The rebalance events that librdkafka announced and the worker has not received.
#[derive(Debug, Default)]
pub(crate) struct RebalanceEventQueue {
    pending_events: Mutex<VecDeque<RebalanceEvent>>,
    /// Whether the callback acknowledges every event itself, because the consumer closes.
    acknowledges_in_callback: AtomicBool,
}

impl RebalanceEventQueue {
    fn pop_event(&self) -> Option<RebalanceEvent> {
        self.pending_events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl ConsumerContext for RebalanceEventQueue {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.acknowledges_in_callback.load(Ordering::Acquire) {
            let answered = if assigned || !matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
                consumer.unassign()
            } else {
                consumer.incremental_unassign(&TopicPartitionList::new())
            };
            if let Err(error) = answered {
                warn!(%error, "could not acknowledge a rebalance while leaving the group");
            }
            return;
        }
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        let event = if assigned {
            RebalanceEvent::Assigned(partitions)
        } else if consumer.assignment_lost() {
            RebalanceEvent::Lost(partitions)
        } else {
            RebalanceEvent::Revoked(partitions)
        };
        self.pending_events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        client_context::log_failed_commit(result);
    }
}

impl ClientContext for RebalanceEventQueue {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_context::log_librdkafka_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_context::log_client_error(&error, reason);
    }
}
