//! What librdkafka announces about the membership of one consumer, and when this consumer may commit.
//!
//! librdkafka announces a rebalance to a callback, which queues an event for the worker. It commits under the member id that it
//! has at that moment. A member that has lost its membership has none until it has joined again. If a static member commits
//! meanwhile, Kafka takes the commit for one of another process with the same name, and librdkafka ends the consumer. A commit
//! that is sent again after the member has joined has an old member id, with the same effect.
//! Invariants: (1) From the loss of its partitions until the next assignment, the member sends no commit. (2) It acknowledges the
//! loss, and so begins to join again, when no commit is in flight.

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

use crate::kafka::client_context;

/// The time after which a revocation is acknowledged although the worker has not released the partitions. A worker that is
/// neither busy nor blocked releases them within 15 s (`RELEASE_TIMEOUT` of the engine). A late worker loses nothing: the
/// fence refuses its rows, and the next owner continues from the last checkpoint.
const REVOCATION_ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
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
    /// Whether the loss of the partitions is not acknowledged yet, because a commit is in flight.
    has_unanswered_loss: bool,
    accepts_commits: bool,
    commits_in_flight: usize,
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
}

impl RebalanceEventQueue {
    pub(super) fn has_unanswered_revocation(&self) -> bool {
        self.state.lock().unanswered_revocation.is_some()
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
        state.accepts_commits = false;
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
            if let Some(Err(error)) = consumer.poll(POLL_TIMEOUT) {
                let mut state = self.state.lock();
                if state.pending_errors.len() < MAX_PENDING_ERRORS {
                    state.pending_errors.push_back(error);
                }
            }
            if let Err(error) = self.acknowledge_overdue_revocation(consumer) {
                warn!(%error, "could not acknowledge a revocation");
            }
            if let Err(error) = self.acknowledge_loss(consumer, CommitsInFlight::Await) {
                warn!(%error, "could not acknowledge the loss of partitions");
            }
        }
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
        self.acknowledge_loss(consumer, CommitsInFlight::Ignore)
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
                consumer.incremental_unassign(&TopicPartitionList::new())
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
        consumer.incremental_unassign(&TopicPartitionList::new())
    }

    fn acknowledge_loss(&self, consumer: &BaseConsumer<Self>, commits: CommitsInFlight) -> KafkaResult<()> {
        let mut state = self.state.lock();
        let must_wait = commits == CommitsInFlight::Await && state.commits_in_flight > 0;
        if !state.has_unanswered_loss || must_wait {
            return Ok(());
        }
        state.has_unanswered_loss = false;
        consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// Commits `offsets` and waits for Kafka's answer.
    ///
    /// # Errors
    /// When Kafka refuses the commit, or if the member has lost its membership: Kafka would refuse the commit too.
    pub(crate) fn commit_as_member(consumer: &BaseConsumer<Self>, offsets: &TopicPartitionList) -> KafkaResult<()> {
        let queue: &Self = consumer.context();
        {
            let mut state = queue.state.lock();
            if !state.accepts_commits {
                return Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId));
            }
            state.commits_in_flight += 1;
        }
        let committed = consumer.commit(offsets, CommitMode::Sync);
        queue.state.lock().commits_in_flight -= 1;
        committed
    }
}

/// Whether the acknowledgement of a loss waits for the commits in flight.
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
            state.accepts_commits = true;
            state.member_partitions.extend(&partitions);
            (RebalanceEvent::Assigned(partitions), consumer.incremental_assign(&no_partitions))
        } else if consumer.assignment_lost() {
            state.accepts_commits = false;
            state.remove_partitions(&partitions);
            state.has_unanswered_loss = state.commits_in_flight > 0;
            let answered =
                if state.has_unanswered_loss { Ok(()) } else { consumer.incremental_unassign(&no_partitions) };
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
