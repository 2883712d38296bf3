//! Commits offsets in the order of the calls. A commit ends in bounded time, also while Kafka is unreachable.
//!
//! librdkafka sends a commit again if the coordinator of the group changes or is not ready. An asynchronous commit that is
//! sent again can overtake a later one, and then the smaller offset stays. So this module has only one commit in flight,
//! and waits for its answer on a thread of its own.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use windrow_engine::CommitWait;

use super::fetch_statistics::RecordConsumerContext;
use crate::kafka::call_timeout::run_with_timeout;
use crate::kafka::client_context::log_failed_commit;
use crate::kafka::group::rebalance_events::RebalanceEventQueue;

const COMMIT_TIMEOUT: Duration = Duration::from_secs(4);
/// The maximum time of a commit that is sent again while the group rebalances. The other members learn of a rebalance
/// through their next heartbeat, after at most 3 s. The time counts towards the 30 s in which a stop must end.
const LAST_COMMIT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time between two attempts to commit while the group rebalances.
const REBALANCE_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The result of a commit.
pub(super) enum CommitOutcome {
    /// For [`CommitWait::Background`]: a thread commits the offsets, and logs a failure. Otherwise: Kafka stored the
    /// offsets.
    Committed,
    Failed(KafkaError),
    TimedOut,
}

impl CommitOutcome {
    /// Whether the commit was refused only because the group rebalances. A member that misses a rebalance loses its
    /// membership, and joins again.
    fn is_refused_during_rebalance(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::RebalanceInProgress
                    | RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::AssignmentLost
            )
        )
    }
}

impl From<KafkaResult<()>> for CommitOutcome {
    fn from(answer: KafkaResult<()>) -> Self {
        match answer {
            Ok(()) => Self::Committed,
            Err(error) => Self::Failed(error),
        }
    }
}

impl fmt::Display for CommitOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed => f.write_str("committed"),
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut => f.write_str("Kafka did not answer in time"),
        }
    }
}

/// A consumer that commits offsets for a group.
pub(super) trait CommitClient: Send + Sync + 'static {
    /// Returns those of `offsets` whose partitions the client holds.
    fn select_held_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<TopicPartitionList>;

    /// Commits `offsets` and waits for Kafka's answer.
    ///
    /// # Errors
    /// When Kafka refuses the commit, or the client does not hold one of the partitions.
    fn commit_and_await_answer(&self, offsets: &TopicPartitionList) -> KafkaResult<()>;
}

impl CommitClient for BaseConsumer<RecordConsumerContext> {
    fn select_held_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        Ok(offsets.clone()) // a bounded job never loses a partition
    }

    fn commit_and_await_answer(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        self.commit(offsets, CommitMode::Sync)
    }
}

impl CommitClient for BaseConsumer<RebalanceEventQueue> {
    fn select_held_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        self.context().select_held_offsets(offsets)
    }

    fn commit_and_await_answer(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        RebalanceEventQueue::commit_as_member(self, offsets)
    }
}

/// Commits the offsets of one source, one commit after the other.
#[derive(Default)]
pub(super) struct OffsetCommitter {
    background: Arc<BackgroundCommits>,
}

/// What the worker and the thread for commits in the background share.
#[derive(Default)]
struct BackgroundCommits {
    state: Mutex<BackgroundState>,
    thread_ended: Condvar,
}

#[derive(Default)]
struct BackgroundState {
    /// The newest offsets that wait for the commit in flight.
    pending: Option<PendingCommit>,
    has_thread: bool,
}

/// Offsets, and the client of the last call that gave some: a member that has joined again has a new consumer.
struct PendingCommit {
    client: Arc<dyn CommitClient>,
    offsets: TopicPartitionList,
}

impl OffsetCommitter {
    /// Commits `offsets` through `consumer`. Unless `wait` is [`CommitWait::Background`], waits at most
    /// [`COMMIT_TIMEOUT`] for the commits in the background and for Kafka's answer. With [`CommitWait::AwaitRebalance`],
    /// sends the offsets again while the group rebalances, and waits at most [`LAST_COMMIT_TIMEOUT`] in all.
    pub(super) fn commit<Client: CommitClient>(
        &self,
        consumer: Arc<Client>,
        offsets: TopicPartitionList,
        wait: CommitWait,
    ) -> CommitOutcome {
        match wait {
            CommitWait::Background => self.commit_in_background(consumer, offsets).into(),
            CommitWait::AwaitAnswer => self.commit_and_wait(consumer, offsets, Instant::now() + COMMIT_TIMEOUT),
            CommitWait::AwaitRebalance => self.commit_across_rebalance(&consumer, &offsets),
        }
    }

    fn commit_across_rebalance<Client: CommitClient>(
        &self,
        consumer: &Arc<Client>,
        offsets: &TopicPartitionList,
    ) -> CommitOutcome {
        let deadline = Instant::now() + LAST_COMMIT_TIMEOUT;
        loop {
            let outcome = match consumer.select_held_offsets(offsets) {
                Ok(held) if held.count() == 0 => {
                    CommitOutcome::Failed(KafkaError::ConsumerCommit(RDKafkaErrorCode::AssignmentLost))
                }
                Ok(held) => self.commit_and_wait(Arc::clone(consumer), held, deadline),
                Err(error) => CommitOutcome::Failed(error),
            };
            if !outcome.is_refused_during_rebalance() || Instant::now() + REBALANCE_RETRY_INTERVAL >= deadline {
                return outcome;
            }
            thread::sleep(REBALANCE_RETRY_INTERVAL);
        }
    }

    fn commit_and_wait<Client: CommitClient>(
        &self,
        consumer: Arc<Client>,
        offsets: TopicPartitionList,
        deadline: Instant,
    ) -> CommitOutcome {
        if !self.background.wait_for_thread_end(deadline) {
            return CommitOutcome::TimedOut;
        }
        let remaining = deadline.saturating_duration_since(Instant::now());
        match run_with_timeout(remaining, move || consumer.commit_and_await_answer(&offsets)) {
            Some(answer) => answer.into(),
            None => CommitOutcome::TimedOut,
        }
    }

    fn commit_in_background<Client: CommitClient>(
        &self,
        consumer: Arc<Client>,
        offsets: TopicPartitionList,
    ) -> KafkaResult<()> {
        let mut state = self.background.state.lock();
        match &mut state.pending {
            Some(pending) => {
                replace_offsets(&mut pending.offsets, &offsets)?;
                pending.client = consumer;
            }
            None => state.pending = Some(PendingCommit { client: consumer, offsets }),
        }
        if !state.has_thread {
            let background = Arc::clone(&self.background);
            let thread = thread::Builder::new().name("kafka-commit".to_owned());
            // Without a thread the offsets stay pending, and the next commit tries again.
            state.has_thread = thread.spawn(move || background.commit_pending()).is_ok();
        }
        Ok(())
    }
}

impl BackgroundCommits {
    /// Commits until no offsets are pending.
    fn commit_pending(&self) {
        loop {
            let mut state = self.state.lock();
            let Some(PendingCommit { client, offsets }) = state.pending.take() else {
                state.has_thread = false;
                self.thread_ended.notify_all();
                return;
            };
            drop(state);
            log_failed_commit(commit_held_offsets(&*client, &offsets));
        }
    }

    /// Waits until no commit is pending or in flight. Returns whether this was so before `deadline`.
    fn wait_for_thread_end(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        self.thread_ended.wait_while_until(&mut state, |state| state.has_thread, deadline);
        !state.has_thread
    }
}

/// Commits those of `offsets` whose partitions `client` still holds.
fn commit_held_offsets(client: &dyn CommitClient, offsets: &TopicPartitionList) -> KafkaResult<()> {
    let held = client.select_held_offsets(offsets)?;
    if held.count() == 0 { Ok(()) } else { client.commit_and_await_answer(&held) }
}

/// Sets the offsets of `newer` in `offsets`.
fn replace_offsets(offsets: &mut TopicPartitionList, newer: &TopicPartitionList) -> KafkaResult<()> {
    for element in newer.elements() {
        let (topic, partition) = (element.topic(), element.partition());
        match offsets.find_partition(topic, partition) {
            Some(mut known) => known.set_offset(element.offset())?,
            None => offsets.add_partition_offset(topic, partition, element.offset())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use rdkafka::{ClientConfig, Offset};
    use windrow_test_support::wait_until;

    use super::*;
    use crate::kafka::group::rebalance_events::RebalanceEvent;
    use crate::kafka::mock_group::{MockGroup, await_assignment, await_event, build_offsets};

    /// Commits the offset 5 at a broker that first refuses `refusals` commits with `code`. Returns the outcome and the
    /// offset that the broker stores.
    fn commit_at_refusing_broker(wait: CommitWait, code: RDKafkaRespErr, refusals: usize) -> (CommitOutcome, Offset) {
        let cluster = MockCluster::new(1).expect("a mock cluster");
        cluster.create_topic("t", 1, 1).expect("a topic");
        let consumer: BaseConsumer<RecordConsumerContext> = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "g")
            .create_with_context(RecordConsumerContext::default())
            .expect("a consumer");
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("t", 0, Offset::Offset(5)).expect("a valid offset");
        cluster.request_errors(RDKafkaApiKey::OffsetCommit, &vec![code; refusals]);
        let consumer = Arc::new(consumer);
        let outcome = OffsetCommitter::default().commit(Arc::clone(&consumer), offsets.clone(), wait);
        let stored = consumer.committed_offsets(offsets, Duration::from_secs(60)).expect("an answer");
        (outcome, stored.elements()[0].offset())
    }

    #[test]
    fn the_last_commit_of_a_worker_outlasts_a_rebalance() {
        for code in [
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        ] {
            let (outcome, stored) = commit_at_refusing_broker(CommitWait::AwaitRebalance, code, 3);
            assert!(matches!(outcome, CommitOutcome::Committed), "{code:?}: {outcome}");
            assert_eq!(stored, Offset::Offset(5), "{code:?}");
        }
    }

    #[test]
    fn a_commit_that_is_refused_for_another_reason_is_not_sent_again() {
        let code = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        let (outcome, stored) = commit_at_refusing_broker(CommitWait::AwaitRebalance, code, 1);
        assert!(matches!(outcome, CommitOutcome::Failed(_)), "{outcome}");
        assert_eq!(stored, Offset::Invalid);
    }

    #[test]
    fn the_newest_offset_of_a_partition_stays() {
        let mut pending = build_offsets(&[(0, 5), (1, 7)]);
        replace_offsets(&mut pending, &build_offsets(&[(1, 9), (2, 1)])).expect("valid offsets");
        assert_eq!(pending, build_offsets(&[(0, 5), (1, 9), (2, 1)]));
    }

    /// A client that answers a commit when the test lets it.
    struct ScriptedClient {
        committed: Mutex<Vec<TopicPartitionList>>,
        may_answer: Mutex<mpsc::Receiver<()>>,
    }

    impl CommitClient for ScriptedClient {
        fn select_held_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
            Ok(offsets.clone())
        }

        fn commit_and_await_answer(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
            self.committed.lock().push(offsets.clone());
            self.may_answer.lock().recv().expect("the test runs");
            Ok(())
        }
    }

    /// A member joins again with a new consumer, while the old one still commits.
    #[test]
    fn pending_offsets_are_committed_through_the_newest_consumer() {
        let committer = OffsetCommitter::default();
        let (clients, answers): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (answer, may_answer) = mpsc::channel();
                let may_answer = Mutex::new(may_answer);
                (Arc::new(ScriptedClient { committed: Mutex::default(), may_answer }), answer)
            })
            .unzip();
        committer.commit(Arc::clone(&clients[0]), build_offsets(&[(0, 1)]), CommitWait::Background);
        wait_until("the first commit is in flight", || clients[0].committed.lock().len() == 1);
        committer.commit(Arc::clone(&clients[0]), build_offsets(&[(0, 2), (1, 2)]), CommitWait::Background);
        committer.commit(Arc::clone(&clients[1]), build_offsets(&[(0, 3)]), CommitWait::Background);
        for answer in &answers {
            answer.send(()).expect("the client exists");
        }
        wait_until("all is committed", || !committer.background.state.lock().has_thread);
        assert_eq!(*clients[0].committed.lock(), [build_offsets(&[(0, 1)])]);
        assert_eq!(*clients[1].committed.lock(), [build_offsets(&[(0, 3), (1, 2)])]);
    }

    #[test]
    fn a_member_commits_only_what_it_holds() {
        let group = MockGroup::start(2);
        let mut first = group.begin_join(None);
        await_assignment(&mut first);
        let consumer = first.clone_consumer_handle().expect("a consumer");
        let mut second = group.begin_join(None);
        let mut lost = None;
        await_event(&mut first, "the other member gets its share", |event| match event {
            RebalanceEvent::Revoked(partitions) => {
                lost = partitions.first().copied();
                true
            }
            RebalanceEvent::Assigned(_) | RebalanceEvent::Lost(_) => false,
        });
        wait_until("the second member gets it", || {
            first.begin_due_rejoin().expect("valid settings");
            matches!(second.pop_rebalance_event(), Some(RebalanceEvent::Assigned(partitions)) if !partitions.is_empty())
        });
        let lost = lost.expect("a partition");
        let committer = OffsetCommitter::default();
        let all = build_offsets(&[(0, 5), (1, 5)]);
        for wait in [CommitWait::AwaitAnswer, CommitWait::AwaitRebalance] {
            let outcome = committer.commit(Arc::clone(&consumer), all.clone(), wait);
            // An answer that confirms all offsets would confirm that the member holds all partitions.
            assert_eq!(matches!(outcome, CommitOutcome::Committed), wait == CommitWait::AwaitRebalance, "{outcome}");
        }
        let stored = consumer.committed_offsets(all, Duration::from_secs(60)).expect("an answer");
        for element in stored.elements() {
            let expected = if element.partition() == lost { Offset::Invalid } else { Offset::Offset(5) };
            assert_eq!(element.offset(), expected, "partition {}", element.partition());
        }
    }
}
