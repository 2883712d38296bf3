//! The member of the consumer group that belongs to one worker. The group assigns partitions to the member, and the
//! member commits offsets. The member reads no records.
//!
//! During a rebalance, librdkafka pauses all partitions of a consumer until the consumer acknowledges the rebalance. A
//! worker acknowledges a revocation late: it first takes a last checkpoint of the partition. Meanwhile the worker must read its other partitions. So the member's consumer reads no partition: the
//! member acknowledges each rebalance with an empty list of partitions. A separate `RecordConsumer` reads the records.
//! `docs/adr/0012-member-and-reader.md` has measurements of these pauses.
//! During a poll, librdkafka announces a rebalance to a callback, which only queues an event. The worker acknowledges
//! the event between two polls.
//! Invariant: every rebalance is acknowledged exactly once. While the consumer closes, the callback acknowledges it;
//! before that, the worker does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::warn;
use windrow_engine::halt::SourceOperation;
use windrow_engine::{GroupDeparture, Halt, Partition};
use windrow_spec::{GroupProtocol, KafkaSourceSpec};

use super::leave;
use super::monitor::UnassignedPartitionMonitor;
use crate::kafka::bounded_close::{BoundedCloseConsumer, StepBeforeClose};
use crate::kafka::client_config;
use crate::kafka::client_context::{self, FatalClientError};
use crate::kafka::halts::{build_refused_operation_halt, build_refused_settings_halt};

/// A rebalance that the worker must acknowledge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RebalanceEvent {
    Assigned(Vec<Partition>),
    /// The member must release these partitions. The member owns them until it acknowledges the rebalance.
    Revoked(Vec<Partition>),
    /// The member lost these partitions: they may already belong to other members.
    Lost(Vec<Partition>),
}

/// A member of the consumer group. When this value is dropped, the member leaves the group, unless it has a static
/// member name.
pub(crate) struct GroupMembership {
    consumer: BoundedCloseConsumer<RebalanceEventQueue>,
    brokers: String,
    topic: String,
    group_monitor: Option<Arc<UnassignedPartitionMonitor>>,
    /// The rebalance event that the worker received and has not acknowledged.
    unacknowledged_event: Option<RebalanceEvent>,
    /// Whether the member has left the group until [`GroupMembership::rejoin`].
    has_left: bool,
}

impl GroupMembership {
    /// Creates a member and begins to join the group. Later polls finish joining. `group_monitor` may request that the
    /// member joins the group again.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(crate) fn begin_join(
        settings: &KafkaSourceSpec,
        static_member_name: Option<&str>,
        group_monitor: Option<Arc<UnassignedPartitionMonitor>>,
    ) -> Result<Self, Halt> {
        let consumer: BaseConsumer<RebalanceEventQueue> =
            client_config::group_member_config(settings, static_member_name)
                .create_with_context(RebalanceEventQueue::default())
                .map_err(|error| build_refused_settings_halt(&settings.brokers, error))?;
        let step_before_close = match (&settings.group_protocol, static_member_name) {
            (GroupProtocol::Classic { .. }, None) => {
                Some(StepBeforeClose { run: leave::leave_group, timeout: leave::LEAVE_TIMEOUT })
            }
            // A static member does not leave the group, because it keeps its partitions while its process restarts. With
            // the group protocol `consumer`, the close itself makes librdkafka leave the group.
            (GroupProtocol::Classic { .. }, Some(_)) | (GroupProtocol::Consumer, _) => None,
        };
        let member = Self {
            consumer: BoundedCloseConsumer::new(consumer, step_before_close),
            brokers: settings.brokers.clone(),
            topic: settings.topic.clone(),
            group_monitor,
            unacknowledged_event: None,
            has_left: false,
        };
        member.subscribe()?;
        Ok(member)
    }

    fn subscribe(&self) -> Result<(), Halt> {
        self.consumer.subscribe(&[&self.topic]).map_err(|error| {
            build_refused_operation_halt(&self.brokers, SourceOperation::Subscribe(self.topic.clone()), error)
        })
    }

    /// If the group monitor has requested a rejoin, leaves the group and begins to join again. The group then revokes
    /// the member's partitions, and assigns partitions to all members again. Does nothing if the worker has not
    /// acknowledged the last rebalance yet.
    ///
    /// # Errors
    /// When librdkafka refuses the subscription.
    pub(crate) fn begin_rejoin_if_requested(&self) -> Result<(), Halt> {
        if self.has_left
            || self.unacknowledged_event.is_some()
            || !self.group_monitor.as_ref().is_some_and(|monitor| monitor.take_rejoin_request())
        {
            return Ok(());
        }
        self.consumer.unsubscribe();
        self.subscribe()
    }

    /// Begins to leave the group, until [`Self::rejoin`]. The group then revokes the member's partitions. Does nothing if
    /// the worker has not acknowledged the last rebalance yet.
    pub(crate) fn leave_until_rejoin(&mut self) -> GroupDeparture {
        if self.unacknowledged_event.is_some() {
            return GroupDeparture::Stayed;
        }
        self.has_left = true;
        self.consumer.unsubscribe();
        GroupDeparture::Left
    }

    /// Begins to join the group again.
    ///
    /// # Errors
    /// When librdkafka refuses the subscription.
    pub(crate) fn rejoin(&mut self) -> Result<(), Halt> {
        self.has_left = false;
        self.subscribe()
    }

    /// Polls the member's consumer without waiting, so that librdkafka can announce rebalances. Returns the error that
    /// the poll reports, if any.
    pub(crate) fn poll_group_for_error(&self) -> Option<KafkaError> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(error)) => Some(error),
            // The consumer has no partitions, so the poll returns no record.
            Some(Ok(_)) | None => None,
        }
    }

    /// Removes the next rebalance event from the queue and returns the event, if any. The worker must acknowledge the
    /// event.
    pub(crate) fn pop_rebalance_event(&mut self) -> Option<RebalanceEvent> {
        let event = self.consumer.context().pop_pending_event();
        if event.is_some() {
            self.unacknowledged_event.clone_from(&event);
        }
        event
    }

    /// Acknowledges the last assignment: the worker has got the partitions.
    pub(crate) fn acknowledge_assignment(&mut self) -> KafkaResult<()> {
        self.unacknowledged_event = None;
        self.consumer.incremental_assign(&TopicPartitionList::new())
    }

    /// Acknowledges the last revocation: the worker no longer reads the revoked partitions.
    pub(crate) fn acknowledge_revocation(&mut self) -> KafkaResult<()> {
        self.unacknowledged_event = None;
        self.consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// Returns a shared handle to the member's consumer. Commits need this consumer, because Kafka accepts commits only
    /// from members of the group.
    pub(crate) fn clone_consumer_handle(&self) -> Arc<BaseConsumer<RebalanceEventQueue>> {
        self.consumer.clone_consumer_handle()
    }

    /// Returns the fatal error with which librdkafka ended this consumer, if any.
    pub(crate) fn fatal_error(&self) -> Option<FatalClientError> {
        self.consumer.client().fatal_error().map(|(code, reason)| FatalClientError { code, reason })
    }
}

impl Drop for GroupMembership {
    /// Acknowledges the rebalance event that the worker has not acknowledged, if any, because the group waits for it.
    /// After this, the consumer closes.
    fn drop(&mut self) {
        self.consumer.context().acknowledges_in_callback.store(true, Ordering::Release);
        let unacknowledged = self.unacknowledged_event.take().or_else(|| self.pop_rebalance_event());
        let answered = match unacknowledged {
            Some(RebalanceEvent::Assigned(_)) => self.acknowledge_assignment(),
            Some(RebalanceEvent::Revoked(_) | RebalanceEvent::Lost(_)) => self.acknowledge_revocation(),
            None => Ok(()),
        };
        if let Err(error) = answered {
            warn!(%error, "could not acknowledge the last rebalance");
        }
    }
}

/// The rebalance events that librdkafka has announced and the worker has not received yet.
#[derive(Debug, Default)]
pub(crate) struct RebalanceEventQueue {
    pending_events: Mutex<VecDeque<RebalanceEvent>>,
    /// Whether the callback acknowledges every rebalance itself. True while the consumer closes.
    acknowledges_in_callback: AtomicBool,
}

impl RebalanceEventQueue {
    fn pop_pending_event(&self) -> Option<RebalanceEvent> {
        self.pending_events.lock().pop_front()
    }
}

impl ConsumerContext for RebalanceEventQueue {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.acknowledges_in_callback.load(Ordering::Acquire) {
            let no_partitions = TopicPartitionList::new();
            let answered = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative if assigned => consumer.incremental_assign(&no_partitions),
                RebalanceProtocol::Cooperative => consumer.incremental_unassign(&no_partitions),
                RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
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
        self.pending_events.lock().push_back(event);
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
