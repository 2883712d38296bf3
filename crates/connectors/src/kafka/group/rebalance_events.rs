//! What librdkafka announces about the membership of one consumer, and when this consumer may commit.
//!
//! librdkafka announces a rebalance to a callback, which queues an event for the worker. It commits under the member id
//! that it has at that moment. A member that has lost its membership has none until it has joined again. If a static
//! member commits meanwhile, Kafka takes the commit for one of another process with the same name, and librdkafka ends
//! the consumer. A commit that is sent again after the member has joined has an old member id, with the same effect.
//! Invariants: (1) From the loss of its partitions until the next assignment, the member sends no commit. It never
//! commits a partition that it does not hold. (2) It acknowledges the loss of its partitions, and their revocation while
//! it leaves, when no commit is in flight, but after at most `COMMIT_ANSWER_TIMEOUT`. So it has a new member id only
//! then. (3) The thread that polls the consumer notes the end of the consumer, and to whom the name belonged at that
//! moment.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, warn};
use windrow_engine::Partition;

use super::leave;
use super::member_commits::MemberCommits;
use crate::kafka::client_context::{self, FatalClientError};

/// The time after which a revocation is acknowledged although the worker has not released the partitions. A worker that is
/// neither busy nor blocked releases them within 15 s (`RELEASE_TIMEOUT` of the engine). A late worker loses nothing: the
/// fence refuses its rows, and the next owner continues from the last checkpoint.
const REVOCATION_ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the end of a membership waits for the answers to commits. It is longer than a worker waits for such an answer
/// (at most 5 s). An answer that arrives later does no harm. Kafka refuses the commit of a former membership, and the next
/// owner continues from a checkpoint. If Kafka takes the commit for one of another process, the member joins again with
/// a new consumer ([`ConsumerEnd::refused_outdated_request`]).
pub(super) const COMMIT_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait of one poll for the next event of the group.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// The most errors that wait for the worker. An error that is repeated while the worker is busy tells nothing new.
const MAX_PENDING_ERRORS: usize = 16;
/// The facility of librdkafka's log line about an error that ends the client.
const FATAL_ERROR_FACILITY: &str = "FATAL";

/// A change of the member's partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RebalanceEvent {
    Assigned(Vec<Partition>),
    /// The member must release these partitions. The member owns them until it acknowledges the rebalance.
    Revoked(Vec<Partition>),
    /// The member lost these partitions: they may already belong to other members.
    Lost(Vec<Partition>),
}

/// The fatal error with which librdkafka ended a consumer.
#[derive(Clone, Debug)]
pub(super) struct ConsumerEnd {
    pub(super) error: FatalClientError,
    /// Whether the refused request was one that this member had sent before it lost or left its last membership. If it
    /// was not, and Kafka refused the static name, then another process has taken the name over.
    pub(super) refused_outdated_request: bool,
}

/// What librdkafka has announced and the worker has not received yet, and the commits in flight.
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
    /// The partitions assigned to the member, including revoked ones until the member acknowledges the revocation.
    member_partitions: BTreeSet<Partition>,
    /// The revocation that is not acknowledged yet.
    unanswered_revocation: Option<UnansweredRevocation>,
    /// Since when the acknowledgement of a loss or of a leave waits for commits in flight; `None` if none waits.
    deferred_acknowledgement_since: Option<Instant>,
    /// Whether the member leaves the group when the revocation of its partitions is acknowledged.
    is_leaving: bool,
    /// Whether the consumer has been a member of the group.
    has_joined: bool,
    commits: MemberCommits,
    consumer_end: Option<ConsumerEnd>,
}

#[derive(Debug)]
struct UnansweredRevocation {
    partitions: Vec<Partition>,
    announced_at: Instant,
}

impl RebalanceEventState {
    fn remove_partitions(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.member_partitions.remove(partition);
        }
    }

    /// Acknowledges the end of a membership, or begins to wait for the commits in flight.
    fn acknowledge_membership_end(&mut self, consumer: &BaseConsumer<RebalanceEventQueue>) -> KafkaResult<()> {
        if self.commits.are_in_flight() {
            self.deferred_acknowledgement_since = Some(Instant::now());
            return Ok(());
        }
        consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// Acknowledges the revocation of partitions that the worker has released or lost.
    fn acknowledge_released(&mut self, consumer: &BaseConsumer<RebalanceEventQueue>) -> KafkaResult<()> {
        if self.is_leaving {
            self.acknowledge_membership_end(consumer)
        } else {
            consumer.incremental_unassign(&TopicPartitionList::new())
        }
    }
}

impl RebalanceEventQueue {
    pub(super) fn has_unanswered_revocation(&self) -> bool {
        self.state.lock().unanswered_revocation.is_some()
    }

    pub(super) fn has_commits_in_flight(&self) -> bool {
        self.state.lock().commits.are_in_flight()
    }

    pub(super) fn has_joined(&self) -> bool {
        self.state.lock().has_joined
    }

    /// Returns how librdkafka ended the consumer; `None` if it has not, or if the thread that polls has not noted it yet.
    pub(super) fn consumer_end(&self) -> Option<ConsumerEnd> {
        self.state.lock().consumer_end.clone()
    }

    /// Notes that the consumer is about to leave the group. Commits that are still in flight are no longer awaited.
    pub(super) fn begin_leave(&self) {
        let mut state = self.state.lock();
        state.is_leaving = true;
        state.commits.stop_awaiting();
    }

    pub(super) fn pop_error(&self) -> Option<KafkaError> {
        self.state.lock().pending_errors.pop_front()
    }

    pub(super) fn pop_event(&self) -> Option<RebalanceEvent> {
        self.state.lock().pending_events.pop_front()
    }

    /// Returns what the worker must still learn about a consumer that has ended: the pending events, and the loss of the
    /// partitions that remain after these.
    pub(super) fn take_last_events(&self) -> VecDeque<RebalanceEvent> {
        let mut state = self.state.lock();
        state.commits.stop_accepting();
        let mut events = std::mem::take(&mut state.pending_events);
        if let Some(UnansweredRevocation { partitions, .. }) = &state.unanswered_revocation {
            let revoked = RebalanceEvent::Revoked(partitions.clone());
            events.retain(|event| *event != revoked);
        }
        let lost: Vec<Partition> = std::mem::take(&mut state.member_partitions).into_iter().collect();
        if !lost.is_empty() {
            events.push_back(RebalanceEvent::Lost(lost));
        }
        events
    }

    /// Polls `consumer`, and acknowledges what had to wait, until the consumer closes.
    pub(super) fn poll_until_close(&self, consumer: &BaseConsumer<Self>) {
        while !self.acknowledges_in_callback.load(Ordering::Acquire) {
            // The consumer has no partitions, so the poll returns no record.
            let polled = consumer.poll(POLL_TIMEOUT);
            self.note_consumer_end(consumer);
            if let Some(Err(error)) = polled {
                let mut state = self.state.lock();
                if state.pending_errors.len() < MAX_PENDING_ERRORS {
                    state.pending_errors.push_back(error);
                }
            }
            if let Err(error) = self.acknowledge_overdue_revocation(consumer) {
                warn!(%error, "could not acknowledge a revocation");
            }
            if let Err(error) = self.acknowledge_deferred(consumer, CommitsInFlight::Await) {
                warn!(%error, "could not acknowledge the loss of partitions");
            }
        }
    }

    /// If librdkafka has ended the consumer, notes the error, and whether this member's own request was refused. The
    /// member id is read here, because a join that is in flight gives the consumer a new one when Kafka answers it.
    fn note_consumer_end(&self, consumer: &BaseConsumer<Self>) {
        if self.state.lock().consumer_end.is_some() {
            return;
        }
        let Some((code, reason)) = consumer.client().fatal_error() else { return };
        let is_member = leave::has_member_id(consumer);
        let mut state = self.state.lock();
        let refused_outdated_request = !is_member || state.commits.are_outdated();
        let error = FatalClientError { code, reason };
        state.consumer_end = Some(ConsumerEnd { error, refused_outdated_request });
    }

    /// Lets the callback acknowledge every rebalance from now on, since the consumer closes.
    pub(super) fn acknowledge_in_callback(&self) {
        self.acknowledges_in_callback.store(true, Ordering::Release);
    }

    /// Acknowledges everything that is not acknowledged yet. The consumer closes afterwards.
    pub(super) fn acknowledge_all(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<()> {
        let revocation = self.state.lock().unanswered_revocation.take();
        if revocation.is_some() {
            consumer.incremental_unassign(&TopicPartitionList::new())?;
        }
        self.acknowledge_deferred(consumer, CommitsInFlight::Ignore)
    }

    /// Acknowledges the revocation of `partitions`, unless this was done already.
    pub(super) fn acknowledge_revocation(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &[Partition],
    ) -> KafkaResult<()> {
        let mut state = self.state.lock();
        match state.unanswered_revocation.take_if(|revocation| revocation.partitions == partitions) {
            Some(_) => {
                state.remove_partitions(partitions);
                state.acknowledge_released(consumer)
            }
            None => Ok(()),
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
        state.remove_partitions(&partitions);
        state.pending_events.push_back(RebalanceEvent::Lost(partitions));
        state.acknowledge_released(consumer)
    }

    fn acknowledge_deferred(&self, consumer: &BaseConsumer<Self>, commits: CommitsInFlight) -> KafkaResult<()> {
        let mut state = self.state.lock();
        let Some(since) = state.deferred_acknowledgement_since else { return Ok(()) };
        if state.commits.are_in_flight() {
            if commits == CommitsInFlight::Await && since.elapsed() < COMMIT_ANSWER_TIMEOUT {
                return Ok(());
            }
            state.commits.stop_awaiting();
        }
        state.deferred_acknowledgement_since = None;
        consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// Notes a commit that Kafka never answers.
    #[cfg(test)]
    pub(crate) fn begin_unanswered_commit(&self) {
        self.state.lock().commits.begin().expect("it is a member");
    }

    /// Returns those of `offsets` whose partitions the member holds.
    pub(crate) fn select_held_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let state = self.state.lock();
        let mut held = TopicPartitionList::new();
        for element in offsets.elements() {
            if state.member_partitions.contains(&element.partition()) {
                held.add_partition_offset(element.topic(), element.partition(), element.offset())?;
            }
        }
        Ok(held)
    }

    /// Commits `offsets` and waits for Kafka's answer.
    ///
    /// # Errors
    /// When Kafka refuses the commit. If the member has lost its membership: Kafka would refuse the commit too. If it does
    /// not hold one of the partitions: their owner commits, and Kafka does not compare the partitions with the assignment.
    pub(crate) fn commit_as_member(consumer: &BaseConsumer<Self>, offsets: &TopicPartitionList) -> KafkaResult<()> {
        let queue: &Self = consumer.context();
        let commit = {
            let mut state = queue.state.lock();
            let Some(commit) = state.commits.begin() else {
                return Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId));
            };
            let is_held = |partition| state.member_partitions.contains(&partition);
            if !offsets.elements().iter().all(|element| is_held(element.partition())) {
                let refused = Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::AssignmentLost));
                state.commits.end(&commit, &refused);
                return refused;
            }
            commit
        };
        let committed = consumer.commit(offsets, CommitMode::Sync);
        queue.state.lock().commits.end(&commit, &committed);
        committed
    }
}

/// Whether an acknowledgement waits for the commits in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CommitsInFlight {
    Await,
    Ignore,
}

impl ConsumerContext for RebalanceEventQueue {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let no_partitions = TopicPartitionList::new();
        if self.acknowledges_in_callback.load(Ordering::Acquire) {
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
        let partitions: Vec<Partition> = list.elements().iter().map(|element| element.partition()).collect();
        let mut state = self.state.lock();
        let (event, answered) = if assigned {
            state.commits.start_accepting();
            (state.is_leaving, state.has_joined) = (false, true);
            state.member_partitions.extend(&partitions);
            (RebalanceEvent::Assigned(partitions), consumer.incremental_assign(&no_partitions))
        } else if consumer.assignment_lost() {
            state.commits.stop_accepting();
            state.remove_partitions(&partitions);
            let answered = state.acknowledge_membership_end(consumer);
            (RebalanceEvent::Lost(partitions), answered)
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
        // The worker handles the error that the line reports: it halts with the reason, or joins the group again.
        if facility == FATAL_ERROR_FACILITY {
            debug!(target: "librdkafka", facility, "{message}");
        } else {
            client_context::log_librdkafka_line(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_context::log_client_error(&error, reason);
    }
}
