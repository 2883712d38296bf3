//! One worker's member of the consumer group: it gets partitions assigned and commits offsets, but reads no records.
//!
//! Until a rebalance is acknowledged, librdkafka pauses every partition of the consumer. But a worker restores state before
//! it starts a partition, and takes a checkpoint before it releases one, while its other partitions continue. So the
//! member's consumer is never assigned a partition, it acknowledges with empty lists, and records come through a
//! `RecordConsumer`. (Measured: `docs/adr/0012-member-and-reader.md`.)
//! librdkafka announces a rebalance from inside a poll and waits for the acknowledgement. The callback only queues the
//! event; the worker acknowledges it between two polls.
//! Invariant: every rebalance event is acknowledged once, by the worker, or by the callback while the consumer closes.

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

use super::monitor::GroupMonitor;
use crate::kafka::bounded_close::BoundedCloseConsumer;
use crate::kafka::client;
use crate::kafka::client_context::{self, FatalClientError};
use crate::kafka::halts::{refuse_client, refuse_operation};

/// A rebalance that waits for its acknowledgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RebalanceEvent {
    /// The member gets these partitions.
    Assigned(Vec<Partition>),
    /// The member must give these partitions up, and still owns them.
    Revoked(Vec<Partition>),
    /// These partitions already belong to other members.
    Lost(Vec<Partition>),
}

/// A member of the consumer group; dropping it leaves the group.
pub(crate) struct GroupMembership {
    consumer: BoundedCloseConsumer<RebalanceQueue>,
    brokers: String,
    topic: String,
    group_monitor: Option<Arc<GroupMonitor>>,
    /// The event that the worker got and has not acknowledged.
    unacknowledged: Option<RebalanceEvent>,
}

impl GroupMembership {
    /// Joins the group, with the name `instance` where that is given. `group` may request joining again.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(crate) fn join(
        settings: &KafkaSourceSpec,
        instance: Option<&str>,
        group: Option<Arc<GroupMonitor>>,
    ) -> Result<Self, Halt> {
        let consumer: BaseConsumer<RebalanceQueue> = client::member_config(settings, instance)
            .create_with_context(RebalanceQueue::default())
            .map_err(|error| refuse_client(&settings.brokers, error))?;
        let member = Self {
            consumer: BoundedCloseConsumer::new(consumer),
            brokers: settings.brokers.clone(),
            topic: settings.topic.clone(),
            group_monitor: group,
            unacknowledged: None,
        };
        member.subscribe()?;
        Ok(member)
    }

    fn subscribe(&self) -> Result<(), Halt> {
        self.consumer
            .subscribe(&[&self.topic])
            .map_err(|error| refuse_operation(&self.brokers, SourceOperation::Subscribe(self.topic.clone()), error))
    }

    /// Joins the group again if the monitor requests it: the worker's partitions are revoked and assigned anew.
    ///
    /// # Errors
    /// When librdkafka refuses.
    pub(crate) fn rejoin_if_requested(&self) -> Result<(), Halt> {
        if self.unacknowledged.is_some()
            || !self.group_monitor.as_ref().is_some_and(|group| group.take_rejoin_request())
        {
            return Ok(());
        }
        self.consumer.unsubscribe();
        self.subscribe()
    }

    /// Polls the group's events, and returns an error if there is one.
    pub(crate) fn poll_error(&self) -> Option<KafkaError> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(error)) => Some(error),
            // The consumer has no partitions, so there are no records.
            Some(Ok(_)) | None => None,
        }
    }

    /// Returns the next event for the worker; each one once.
    pub(crate) fn next_rebalance(&mut self) -> Option<RebalanceEvent> {
        let event = self.consumer.context().pop_event();
        if event.is_some() {
            self.unacknowledged.clone_from(&event);
        }
        event
    }

    /// Confirms that the worker reads the partitions it was assigned.
    pub(crate) fn acknowledge_assignment(&mut self) -> KafkaResult<()> {
        self.unacknowledged = None;
        self.consumer.incremental_assign(&TopicPartitionList::new())
    }

    /// Confirms that the worker no longer reads the partitions that were revoked.
    pub(crate) fn acknowledge_revocation(&mut self) -> KafkaResult<()> {
        self.unacknowledged = None;
        self.consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// Returns the consumer for commits, which Kafka accepts only from a present member of the group.
    pub(crate) fn share_consumer(&self) -> Arc<BaseConsumer<RebalanceQueue>> {
        self.consumer.share_consumer()
    }

    /// Returns why librdkafka ended this consumer for good, if it did.
    pub(crate) fn fatal_error(&self) -> Option<FatalClientError> {
        self.consumer.client().fatal_error().map(|(code, reason)| FatalClientError { code, reason })
    }
}

impl Drop for GroupMembership {
    /// Acknowledges a pending event, for which the group would wait otherwise; then the consumer leaves the group.
    fn drop(&mut self) {
        self.consumer.context().closing.store(true, Ordering::Release);
        let unacknowledged = self.unacknowledged.take().or_else(|| self.next_rebalance());
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

/// The rebalance events that librdkafka announced.
#[derive(Debug, Default)]
pub(crate) struct RebalanceQueue {
    pending: Mutex<VecDeque<RebalanceEvent>>,
    /// From now on, the callback acknowledges every event itself.
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
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        client_context::log_commit_result(result);
    }
}

impl ClientContext for RebalanceQueue {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_context::log_librdkafka_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_context::log_client_error(&error, reason);
    }
}
