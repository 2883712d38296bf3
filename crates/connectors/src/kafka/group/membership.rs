//! The member of the consumer group that belongs to one worker. The group assigns partitions to the member, and the
//! member commits offsets. The member reads no records.
//!
//! During a rebalance, librdkafka pauses all partitions of a consumer until the consumer acknowledges the rebalance. A
//! worker acknowledges a revocation late: it first takes a last checkpoint of the partition. Meanwhile the worker must read
//! its other partitions. So the member's consumer reads no partition: the member acknowledges each rebalance with an empty
//! list of partitions. A separate `RecordConsumer` reads the records. `docs/adr/0012-member-and-reader.md` has measurements
//! of these pauses.
//! A thread polls the member's consumer, because the worker may be busy or wait for Redis, and the group waits for its
//! answers. If Kafka refuses the member's static name, librdkafka ends the consumer. The member then closes it, and joins again
//! with a new one, unless another process uses the name (`docs/adr/0032-static-names.md`).
//! Invariants: (1) Every rebalance is acknowledged exactly once. The thread acknowledges assignments and lost partitions. The
//! worker acknowledges a revocation after it has released the partitions. While the consumer closes, the callback
//! acknowledges everything. (2) The group waits for the answer to a revocation for at most `REVOCATION_ANSWER_TIMEOUT`. Then
//! the thread acknowledges it, and the worker learns that it has lost the partitions. (3) A worker never has two open consumers
//! with the same static name. (4) If a consumer ends, the worker learns that it has lost the partitions of the consumer before it
//! learns about partitions of the next one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tracing::{info, warn};
use windrow_engine::halt::SourceOperation;
use windrow_engine::{GroupDeparture, Halt, Partition};
use windrow_spec::KafkaSourceSpec;

use super::member_consumer::MemberConsumer;
use super::monitor::UnassignedPartitionMonitor;
use super::name_refusals::{NameRefusals, RefusalVerdict};
use super::rebalance_events::{RebalanceEvent, RebalanceEventQueue};
use super::refusal_reason::GroupRefusalReason;
use super::session_timeout::fetch_session_timeout;
use crate::kafka::client_context::FatalClientError;
use crate::kafka::halts::build_refused_operation_halt;

/// A member of the consumer group. When this value is dropped, the member leaves the group, unless it has a static
/// member name.
pub(crate) struct GroupMembership {
    settings: KafkaSourceSpec,
    static_member_name: Option<String>,
    group_monitor: Option<Arc<UnassignedPartitionMonitor>>,
    consumer: ConsumerState,
    /// The last events of consumers that have ended. The worker receives them before those of the present consumer.
    events_of_ended_consumers: VecDeque<RebalanceEvent>,
    name_refusals: NameRefusals,
    /// Whether the member has left the group until [`GroupMembership::rejoin`].
    has_left: bool,
}

/// The consumer of a membership.
enum ConsumerState {
    Open(MemberConsumer),
    /// The last consumer has ended. The next one is created when `close_thread` has closed the last one, but not before
    /// `join_at`.
    Ended {
        close_thread: Option<thread::JoinHandle<()>>,
        join_at: Instant,
    },
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
        Ok(Self {
            settings: settings.clone(),
            static_member_name: static_member_name.map(str::to_owned),
            group_monitor,
            consumer: ConsumerState::Open(MemberConsumer::begin_join(settings, static_member_name)?),
            events_of_ended_consumers: VecDeque::new(),
            name_refusals: NameRefusals::default(),
            has_left: false,
        })
    }

    fn open_consumer(&self) -> Option<&MemberConsumer> {
        match &self.consumer {
            ConsumerState::Open(consumer) => Some(consumer),
            ConsumerState::Ended { .. } => None,
        }
    }

    fn has_unanswered_revocation(&self) -> bool {
        self.open_consumer().is_some_and(|consumer| consumer.rebalance_events().has_unanswered_revocation())
    }

    /// If the last consumer has ended, begins to join the group with a new one when it is time. If the group monitor has
    /// requested a rejoin, leaves the group and begins to join again. The group then revokes the member's partitions, and
    /// assigns partitions to all members again. Does nothing if the worker has not acknowledged the last rebalance yet.
    ///
    /// # Errors
    /// When librdkafka refuses the settings or the subscription.
    pub(crate) fn begin_due_rejoin(&mut self) -> Result<(), Halt> {
        if self.has_left || self.has_unanswered_revocation() {
            return Ok(());
        }
        match &self.consumer {
            ConsumerState::Open(consumer) => {
                if self.group_monitor.as_ref().is_some_and(|monitor| monitor.take_rejoin_request()) {
                    consumer.unsubscribe();
                    consumer.subscribe(&self.settings)?;
                }
            }
            ConsumerState::Ended { close_thread, join_at } => {
                let is_closed = close_thread.as_ref().is_none_or(thread::JoinHandle::is_finished);
                if is_closed && Instant::now() >= *join_at {
                    let consumer = MemberConsumer::begin_join(&self.settings, self.static_member_name.as_deref())?;
                    self.consumer = ConsumerState::Open(consumer);
                }
            }
        }
        Ok(())
    }

    /// Begins to leave the group, until [`Self::rejoin`]. The group then revokes the member's partitions. Does nothing if
    /// the worker has not acknowledged the last rebalance yet.
    pub(crate) fn leave_until_rejoin(&mut self) -> GroupDeparture {
        if self.has_unanswered_revocation() {
            return GroupDeparture::Stayed;
        }
        self.has_left = true;
        if let Some(consumer) = self.open_consumer() {
            consumer.unsubscribe();
        }
        GroupDeparture::Left
    }

    /// Begins to join the group again.
    ///
    /// # Errors
    /// When librdkafka refuses the subscription.
    pub(crate) fn rejoin(&mut self) -> Result<(), Halt> {
        self.has_left = false;
        self.open_consumer().map_or(Ok(()), |consumer| consumer.subscribe(&self.settings))
    }

    /// Begins to join the group again after Kafka has refused the member's static name with `code`.
    ///
    /// With the classic protocol, Kafka refuses the requests of a member whose name another member has taken over. It does the
    /// same with the commit of a member that has lost its membership and has not joined again. Such a member joins again: its name
    /// is its own. A member whose name was taken from it halts. If it joined again, two processes would take the name from each
    /// other for ever.
    /// With the protocol `consumer`, Kafka refuses a newcomer while the group has a member with this name. That member may be
    /// one of this process before a restart, which the group removes when its session has timed out.
    ///
    /// # Errors
    /// When another process uses the name.
    pub(crate) fn rejoin_with_refused_name(&mut self, code: RDKafkaErrorCode) -> Result<(), Halt> {
        let ConsumerState::Open(consumer) = &self.consumer else { return Ok(()) };
        let now = Instant::now();
        let join_at = if code == RDKafkaErrorCode::UnreleasedInstanceId {
            match self.name_refusals.note_refusal(now, || fetch_session_timeout(&self.settings)) {
                RefusalVerdict::RetryAt { join_at, first_refusal_timeout } => {
                    if let Some(timeout) = first_refusal_timeout {
                        warn!(
                            group = self.settings.consumer_group,
                            name = self.static_member_name,
                            "the group still has a member with this process's name, as after a kill; trying again for {} s",
                            timeout.as_secs()
                        );
                    }
                    join_at
                }
                RefusalVerdict::GiveUp => return Err(self.build_name_in_use_halt(code)),
            }
        } else if consumer.has_member_id() {
            return Err(self.build_name_in_use_halt(code));
        } else {
            info!(
                group = self.settings.consumer_group,
                name = self.static_member_name,
                "Kafka refused a request that was sent before the member had joined again; joining with a new consumer"
            );
            now
        };
        self.events_of_ended_consumers.extend(consumer.rebalance_events().take_last_events());
        self.close_consumer(join_at);
        Ok(())
    }

    /// Closes the consumer in the background.
    fn close_consumer(&mut self, join_at: Instant) {
        let ended = ConsumerState::Ended { close_thread: None, join_at };
        let ConsumerState::Open(consumer) = std::mem::replace(&mut self.consumer, ended) else { return };
        // Without a thread, the consumer is closed here.
        let thread = thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(consumer));
        if let ConsumerState::Ended { close_thread, .. } = &mut self.consumer {
            *close_thread = thread.ok();
        }
    }

    fn build_name_in_use_halt(&self, code: RDKafkaErrorCode) -> Halt {
        let KafkaSourceSpec { brokers, topic, consumer_group: group, .. } = &self.settings;
        let instance = self.static_member_name.clone().unwrap_or_default();
        let reason = GroupRefusalReason::InstanceInUse { group: group.clone(), instance, code };
        build_refused_operation_halt(brokers, SourceOperation::ReadTopic(topic.clone()), reason)
    }

    /// Returns the next error that a poll of the member's consumer has reported, if any.
    pub(crate) fn pop_error(&self) -> Option<KafkaError> {
        self.open_consumer()?.rebalance_events().pop_error()
    }

    /// Removes the next rebalance event from the queue and returns the event, if any.
    pub(crate) fn pop_rebalance_event(&mut self) -> Option<RebalanceEvent> {
        let earlier = self.events_of_ended_consumers.pop_front();
        earlier.or_else(|| self.open_consumer()?.rebalance_events().pop_event())
    }

    /// Acknowledges the revocation of `partitions`: the worker no longer reads them. Does nothing if the revocation is
    /// acknowledged already.
    pub(crate) fn acknowledge_revocation(&self, partitions: &[Partition]) -> KafkaResult<()> {
        self.open_consumer()
            .map_or(Ok(()), |consumer| consumer.rebalance_events().acknowledge_revocation(consumer, partitions))
    }

    /// Returns a shared handle to the member's consumer; `None` while the member has none. Commits need this consumer, because
    /// Kafka accepts commits only from members of the group.
    pub(crate) fn clone_consumer_handle(&self) -> Option<Arc<BaseConsumer<RebalanceEventQueue>>> {
        self.open_consumer().map(MemberConsumer::clone_consumer_handle)
    }

    /// Returns the fatal error with which librdkafka ended the member's consumer, if any.
    pub(crate) fn fatal_error(&self) -> Option<FatalClientError> {
        self.open_consumer().and_then(MemberConsumer::fatal_error)
    }
}
