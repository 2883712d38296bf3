//! The member of the consumer group that belongs to one worker. The group assigns partitions to the member, and the
//! member commits offsets. The member reads no records.
//!
//! During a rebalance, librdkafka pauses all partitions of a consumer until the consumer acknowledges the rebalance. A
//! worker acknowledges a revocation late: it first takes a last checkpoint of the partition. Meanwhile the worker must read its other partitions. So the member's consumer reads no partition: the
//! member acknowledges each rebalance with an empty list of partitions. A separate `RecordConsumer` reads the records.
//! `docs/adr/0012-member-and-reader.md` has measurements of these pauses.
//! A thread polls the member's consumer, because the worker may be busy or wait for Redis, and the group waits for its
//! answers. During a poll, librdkafka announces a rebalance to a callback, which queues an event for the worker.
//! Invariants: (1) Every rebalance is acknowledged exactly once. The callback acknowledges assignments and lost partitions
//! at once. The worker acknowledges a revocation after it has released the partitions. While the consumer closes, the
//! callback acknowledges everything. (2) The group waits for the answer to a revocation for at most
//! [`REVOCATION_ANSWER_TIMEOUT`]. Then the thread acknowledges it, and the worker learns that it has lost the partitions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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

/// The time after which a revocation is acknowledged although the worker has not released the partitions. A worker that is
/// neither busy nor blocked releases them within 15 s (`RELEASE_TIMEOUT` of the engine). A late worker loses nothing: the
/// fence refuses its rows, and the next owner continues from the last checkpoint.
const REVOCATION_ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest wait of one poll for the next event of the group.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// The most errors that wait for the worker. An error that is repeated while the worker is busy tells nothing new.
const MAX_PENDING_ERRORS: usize = 16;

/// A change of the member's partitions.
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
    poll_thread: Option<thread::JoinHandle<()>>,
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
        let mut member = Self {
            consumer: BoundedCloseConsumer::new(consumer, step_before_close),
            brokers: settings.brokers.clone(),
            topic: settings.topic.clone(),
            group_monitor,
            poll_thread: None,
            has_left: false,
        };
        member.subscribe()?;
        let consumer = member.consumer.clone_consumer_handle();
        let thread = thread::Builder::new()
            .name("kafka-group".to_owned())
            .spawn(move || consumer.context().poll_until_close(&consumer))
            .map_err(|error| build_refused_operation_halt(&settings.brokers, SourceOperation::CreateClient, error))?;
        member.poll_thread = Some(thread);
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
            || self.consumer.context().has_unanswered_revocation()
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
        if self.consumer.context().has_unanswered_revocation() {
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

    /// Returns the next error that a poll of the member's consumer has reported, if any.
    pub(crate) fn pop_error(&self) -> Option<KafkaError> {
        self.consumer.context().state.lock().pending_errors.pop_front()
    }

    /// Removes the next rebalance event from the queue and returns the event, if any.
    pub(crate) fn pop_rebalance_event(&self) -> Option<RebalanceEvent> {
        self.consumer.context().state.lock().pending_events.pop_front()
    }

    /// Acknowledges the last revocation: the worker no longer reads the revoked partitions. Does nothing if the revocation
    /// is acknowledged already.
    pub(crate) fn acknowledge_revocation(&self) -> KafkaResult<()> {
        match self.consumer.context().state.lock().unanswered_revocation.take() {
            Some(_) => self.consumer.incremental_unassign(&TopicPartitionList::new()),
            None => Ok(()),
        }
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
    /// Acknowledges the revocation that the worker has not acknowledged, if any, because the group waits for it. After
    /// this, the consumer closes.
    fn drop(&mut self) {
        self.consumer.context().acknowledges_in_callback.store(true, Ordering::Release);
        if let Some(thread) = self.poll_thread.take() {
            // If the thread has panicked, the consumer closes all the same.
            let _ = thread.join();
        }
        if let Err(error) = self.acknowledge_revocation() {
            warn!(%error, "could not acknowledge the last rebalance");
        }
    }
}

/// What librdkafka has announced and the worker has not received yet.
#[derive(Debug, Default)]
pub(crate) struct RebalanceEventQueue {
    state: Mutex<RebalanceEventState>,
    /// Whether the callback acknowledges every rebalance itself, and no thread polls. True while the consumer closes.
    acknowledges_in_callback: AtomicBool,
}

#[derive(Debug, Default)]
struct RebalanceEventState {
    pending_events: VecDeque<RebalanceEvent>,
    pending_errors: VecDeque<KafkaError>,
    /// The revocation that is not acknowledged yet.
    unanswered_revocation: Option<UnansweredRevocation>,
}

#[derive(Debug)]
struct UnansweredRevocation {
    partitions: Vec<Partition>,
    announced_at: Instant,
}

impl RebalanceEventQueue {
    fn has_unanswered_revocation(&self) -> bool {
        self.state.lock().unanswered_revocation.is_some()
    }

    /// Polls `consumer`, and acknowledges overdue revocations, until the consumer closes.
    fn poll_until_close(&self, consumer: &BaseConsumer<Self>) {
        while !self.acknowledges_in_callback.load(Ordering::Acquire) {
            // The consumer has no partitions, so the poll returns no record.
            if let Some(Err(error)) = consumer.poll(POLL_TIMEOUT) {
                let mut state = self.state.lock();
                if state.pending_errors.len() < MAX_PENDING_ERRORS {
                    state.pending_errors.push_back(error);
                }
            }
            if let Err(error) = self.acknowledge_overdue_revocation(consumer) {
                warn!(%error, "could not acknowledge a revocation");
            }
        }
    }

    fn acknowledge_overdue_revocation(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<()> {
        let mut state = self.state.lock();
        let is_overdue =
            |revocation: &mut UnansweredRevocation| revocation.announced_at.elapsed() >= REVOCATION_ANSWER_TIMEOUT;
        let Some(UnansweredRevocation { partitions, .. }) = state.unanswered_revocation.take_if(is_overdue) else {
            return Ok(());
        };
        warn!(?partitions, "the worker has not released revoked partitions in time; the group assigns them to others");
        let revoked = RebalanceEvent::Revoked(partitions.clone());
        state.pending_events.retain(|event| *event != revoked);
        state.pending_events.push_back(RebalanceEvent::Lost(partitions));
        consumer.incremental_unassign(&TopicPartitionList::new())
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
        let no_partitions = TopicPartitionList::new();
        let mut state = self.state.lock();
        let (event, answered) = if assigned {
            (RebalanceEvent::Assigned(partitions), consumer.incremental_assign(&no_partitions))
        } else if consumer.assignment_lost() {
            (RebalanceEvent::Lost(partitions), consumer.incremental_unassign(&no_partitions))
        } else {
            let announced_at = Instant::now();
            state.unanswered_revocation = Some(UnansweredRevocation { partitions: partitions.clone(), announced_at });
            (RebalanceEvent::Revoked(partitions), Ok(()))
        };
        state.pending_events.push_back(event);
        if let Err(error) = answered {
            warn!(%error, "could not acknowledge a rebalance");
        }
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
