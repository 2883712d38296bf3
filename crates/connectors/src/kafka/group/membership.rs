//! The member of the consumer group that belongs to one worker. The group assigns partitions to the member, and the
//! member commits offsets. The member reads no records.
//!
//! During a rebalance, librdkafka pauses all partitions of a consumer until the consumer acknowledges the rebalance. A
//! worker acknowledges a revocation late: it first takes a last checkpoint of the partition. Meanwhile the worker must read
//! its other partitions. So the member's consumer reads no partition: the member acknowledges each rebalance with an empty
//! list of partitions. A separate `RecordConsumer` reads the records. `docs/adr/0012-member-and-reader.md` has measurements
//! of these pauses.
//! A thread polls the member's consumer, because the worker may be busy or wait for Redis, and the group waits for its
//! answers. If Kafka refuses the member's static name, librdkafka ends the consumer. The member then closes it, and joins
//! again with a new one, unless another process uses the name (`docs/adr/0032-static-names.md`).
//! Invariants: (1) Every rebalance is acknowledged exactly once. The thread acknowledges assignments and lost partitions.
//! The worker acknowledges a revocation after it has released the partitions. While the consumer closes, the callback
//! acknowledges everything. (2) The group waits for the answer to a revocation for at most `REVOCATION_ANSWER_TIMEOUT`.
//! Then the thread acknowledges it, and the worker learns that it has lost the partitions. (3) The next consumer of a
//! worker is created when librdkafka has destroyed the last one, but after at most `CLOSE_WAIT_TIMEOUT`. (4) If a
//! consumer ends, the worker learns that it has lost the partitions of the consumer before it learns about partitions of
//! the next one. (5) A member leaves the group when no commit is in flight, but after at most `COMMIT_ANSWER_TIMEOUT`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tracing::{info, warn};
use windrow_engine::halt::SourceOperation;
use windrow_engine::{GroupDeparture, Halt, Partition};
use windrow_spec::KafkaSourceSpec;

use super::member_consumer::{ClosingConsumer, MemberConsumer};
use super::monitor::UnassignedPartitionMonitor;
use super::name_refusals::{NameRefusals, RefusalVerdict};
use super::rebalance_events::{COMMIT_ANSWER_TIMEOUT, RebalanceEvent, RebalanceEventQueue};
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
    departure: PendingDeparture,
}

/// Whether the member leaves the group.
#[derive(Clone, Copy)]
enum PendingDeparture {
    None,
    /// The member leaves when no commit is in flight.
    Due {
        since: Instant,
        /// Whether the member joins again at once.
        rejoins: bool,
    },
    /// The member has left until [`GroupMembership::rejoin`].
    Left,
}

/// The consumer of a membership.
enum ConsumerState {
    Open(MemberConsumer),
    /// The last consumer has ended. The next one is created when the last one is closed, but not before `join_at`.
    Ended {
        last_consumer: ClosingConsumer,
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
            departure: PendingDeparture::None,
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
    /// assigns partitions to all members again. If the member is to leave, it leaves when no commit is in flight. Does
    /// nothing if the worker has not acknowledged the last rebalance yet.
    ///
    /// # Errors
    /// When librdkafka refuses the settings or the subscription.
    pub(crate) fn begin_due_rejoin(&mut self) -> Result<(), Halt> {
        if self.has_unanswered_revocation() {
            return Ok(());
        }
        let rejoin_requested = || self.group_monitor.as_ref().is_some_and(|monitor| monitor.take_rejoin_request());
        if matches!((&self.departure, &self.consumer), (PendingDeparture::None, ConsumerState::Open(_)))
            && rejoin_requested()
        {
            self.departure = PendingDeparture::Due { since: Instant::now(), rejoins: true };
        }
        match (&self.consumer, self.departure) {
            (ConsumerState::Open(consumer), PendingDeparture::Due { since, rejoins }) => {
                let events = consumer.rebalance_events();
                if events.has_commits_in_flight() && since.elapsed() < COMMIT_ANSWER_TIMEOUT {
                    return Ok(());
                }
                events.begin_leave();
                consumer.unsubscribe();
                if rejoins {
                    consumer.subscribe(&self.settings)?;
                    self.departure = PendingDeparture::None;
                } else {
                    self.departure = PendingDeparture::Left;
                }
            }
            (ConsumerState::Ended { .. }, PendingDeparture::Due { rejoins: false, .. }) => {
                self.departure = PendingDeparture::Left;
            }
            (
                ConsumerState::Ended { last_consumer, join_at },
                PendingDeparture::None | PendingDeparture::Due { rejoins: true, .. },
            ) => {
                if last_consumer.has_ended() && Instant::now() >= *join_at {
                    let consumer = MemberConsumer::begin_join(&self.settings, self.static_member_name.as_deref())?;
                    self.consumer = ConsumerState::Open(consumer);
                    self.departure = PendingDeparture::None;
                }
            }
            (ConsumerState::Open(_), PendingDeparture::None) | (_, PendingDeparture::Left) => {}
        }
        Ok(())
    }

    /// Begins to leave the group, until [`Self::rejoin`]. The group then revokes the member's partitions. Does nothing if
    /// the worker has not acknowledged the last rebalance yet.
    pub(crate) fn leave_until_rejoin(&mut self) -> GroupDeparture {
        if self.has_unanswered_revocation() {
            return GroupDeparture::Stayed;
        }
        self.departure = PendingDeparture::Due { since: Instant::now(), rejoins: false };
        GroupDeparture::Left
    }

    /// Begins to join the group again.
    ///
    /// # Errors
    /// When librdkafka refuses the subscription.
    pub(crate) fn rejoin(&mut self) -> Result<(), Halt> {
        match (std::mem::replace(&mut self.departure, PendingDeparture::None), self.open_consumer()) {
            (PendingDeparture::Left, Some(consumer)) => consumer.subscribe(&self.settings),
            // It has not left yet, or joins with a new consumer.
            _ => Ok(()),
        }
    }

    /// Begins to join the group again after Kafka has refused the member's static name with `code`.
    ///
    /// With the classic protocol, Kafka refuses the requests of a member whose name another member has taken over. It does
    /// the same with the commit of a member that has lost its membership and has not joined again. Such a member joins
    /// again: its name is its own. A member whose name was taken from it halts. If it joined again, two processes would
    /// take the name from each other for ever.
    /// With the protocol `consumer`, Kafka refuses a newcomer while the group has a member with this name. That member may be
    /// one of this process before a restart, which the group removes when its session has timed out.
    ///
    /// # Errors
    /// When another process uses the name.
    pub(crate) fn rejoin_with_refused_name(&mut self, code: RDKafkaErrorCode) -> Result<(), Halt> {
        let ConsumerState::Open(consumer) = &self.consumer else { return Ok(()) };
        let now = Instant::now();
        if consumer.rebalance_events().has_joined() {
            self.name_refusals.end_series();
        }
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
        } else if consumer.end().is_none_or(|end| !end.refused_outdated_request) {
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
        let ConsumerState::Open(consumer) = &self.consumer else { return };
        let ended = ConsumerState::Ended { last_consumer: ClosingConsumer::new(consumer), join_at };
        if let ConsumerState::Open(consumer) = std::mem::replace(&mut self.consumer, ended) {
            consumer.close_in_background();
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

    /// Returns a shared handle to the member's consumer; `None` while the member has none. Commits need this consumer,
    /// because Kafka accepts commits only from members of the group.
    pub(crate) fn clone_consumer_handle(&self) -> Option<Arc<BaseConsumer<RebalanceEventQueue>>> {
        self.open_consumer().map(MemberConsumer::clone_consumer_handle)
    }

    /// Returns the fatal error with which librdkafka ended the member's consumer, if any.
    pub(crate) fn fatal_error(&self) -> Option<FatalClientError> {
        self.open_consumer().and_then(MemberConsumer::end).map(|end| end.error)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use windrow_test_support::wait_until;

    use super::super::leave::has_member_id;
    use super::*;
    use crate::kafka::mock_group::{MockGroup, await_assignment, await_event, commit_unconditionally, end_consumer};

    const FENCED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    const UNKNOWN_MEMBER: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
    /// How long the tests look for what must not happen.
    const OBSERVATION: Duration = Duration::from_secs(2);

    fn await_end(member: &GroupMembership) {
        wait_until("librdkafka ends the consumer", || member.fatal_error().is_some());
    }

    fn open_handle(member: &GroupMembership) -> Arc<BaseConsumer<RebalanceEventQueue>> {
        member.clone_consumer_handle().expect("a consumer")
    }

    /// Calls what a worker calls with each poll, for [`OBSERVATION`].
    fn observe(member: &mut GroupMembership, mut check: impl FnMut(&mut GroupMembership)) {
        let end = Instant::now() + OBSERVATION;
        while Instant::now() < end {
            member.begin_due_rejoin().expect("valid settings");
            check(member);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kafka refuses a request under the former member id. Before the worker notices that, Kafka answers the join.
    #[test]
    fn a_worker_that_notices_a_refused_request_late_joins_again() {
        let group = MockGroup::start(1);
        let mut member = group.begin_join(Some("a"));
        await_assignment(&mut member);
        let handle = open_handle(&member);
        group.refuse_next(RDKafkaApiKey::Heartbeat, UNKNOWN_MEMBER);
        await_event(&mut member, "it is lost", |event| matches!(event, RebalanceEvent::Lost(_)));
        // The broker answers the join when the session of the former member has timed out.
        end_consumer(&handle, FENCED);
        await_end(&member);
        assert!(!has_member_id(&handle), "the join is in flight");
        wait_until("Kafka answers the join", || has_member_id(&handle));
        member.rejoin_with_refused_name(RDKafkaErrorCode::FencedInstanceId).expect("it is its own name");
    }

    #[test]
    fn a_member_whose_name_another_process_has_taken_over_halts() {
        let group = MockGroup::start(1);
        let mut member = group.begin_join(Some("a"));
        await_assignment(&mut member);
        group.refuse_next(RDKafkaApiKey::OffsetCommit, FENCED);
        commit_unconditionally(&open_handle(&member));
        await_end(&member);
        member.rejoin_with_refused_name(RDKafkaErrorCode::FencedInstanceId).expect_err("it has a member id");
    }

    /// Kafka takes the late commit for one of another process.
    #[test]
    fn a_lost_answer_to_a_commit_does_not_keep_a_member_out_of_its_group() {
        for name in [None, Some("a")] {
            let group = MockGroup::start(1);
            let mut member = group.begin_join(name);
            await_assignment(&mut member);
            open_handle(&member).context().begin_unanswered_commit();
            group.refuse_next(RDKafkaApiKey::Heartbeat, UNKNOWN_MEMBER);
            await_event(&mut member, "it is lost", |event| matches!(event, RebalanceEvent::Lost(_)));
            await_assignment(&mut member);
            group.refuse_next(RDKafkaApiKey::OffsetCommit, FENCED);
            commit_unconditionally(&open_handle(&member));
            await_end(&member);
            member.rejoin_with_refused_name(RDKafkaErrorCode::FencedInstanceId).expect("its own commit was refused");
        }
    }

    #[test]
    fn the_next_consumer_waits_until_the_last_one_is_closed() {
        let group = MockGroup::start(1);
        let mut member = group.begin_join(Some("a"));
        await_assignment(&mut member);
        let used_by_commit = open_handle(&member);
        member.rejoin_with_refused_name(RDKafkaErrorCode::UnreleasedInstanceId).expect("it tries again");
        observe(&mut member, |member| assert!(member.clone_consumer_handle().is_none(), "two consumers"));
        drop(used_by_commit);
        await_assignment(&mut member);
    }

    /// The refusals take longer in all than the group keeps a member that has died.
    #[test]
    fn a_name_that_was_accepted_in_between_is_not_given_up() {
        let group = MockGroup::start(1);
        let mut member = group.begin_join(Some("a"));
        await_assignment(&mut member);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(25) {
            member.rejoin_with_refused_name(RDKafkaErrorCode::UnreleasedInstanceId).expect("it tries again");
            await_assignment(&mut member);
        }
    }

    #[test]
    fn a_member_leaves_when_no_commit_is_in_flight() {
        let group = MockGroup::start(1);
        let mut member = group.begin_join(Some("a"));
        await_assignment(&mut member);
        let handle = open_handle(&member);
        handle.context().begin_unanswered_commit();
        assert_eq!(member.leave_until_rejoin(), GroupDeparture::Left);
        observe(&mut member, |member| assert_eq!(member.pop_rebalance_event(), None, "it leaves"));
        await_event(&mut member, "it leaves all the same", |event| matches!(event, RebalanceEvent::Revoked(_)));
        wait_until("it has left", || !has_member_id(&handle));
        member.rejoin().expect("valid settings");
        await_assignment(&mut member);
    }
}
