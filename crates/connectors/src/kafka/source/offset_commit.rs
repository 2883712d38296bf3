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

use crate::kafka::call_timeout::run_with_timeout;
use crate::kafka::client_context::{LoggingContext, log_failed_commit};
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
    /// Whether Kafka refused the commit only because the group rebalances. A member that misses a rebalance loses its
    /// membership, and joins again.
    fn is_refused_during_rebalance(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::RebalanceInProgress
                    | RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::UnknownMemberId
            )
        )
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
    /// Commits `offsets` and waits for Kafka's answer.
    fn commit_and_await_answer(&self, offsets: &TopicPartitionList) -> KafkaResult<()>;
}

impl CommitClient for BaseConsumer<LoggingContext> {
    fn commit_and_await_answer(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        self.commit(offsets, CommitMode::Sync)
    }
}

impl CommitClient for BaseConsumer<RebalanceEventQueue> {
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
    pending: Option<TopicPartitionList>,
    has_thread: bool,
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
            CommitWait::Background => match self.commit_in_background(consumer, offsets) {
                Ok(()) => CommitOutcome::Committed,
                Err(error) => CommitOutcome::Failed(error),
            },
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
            let outcome = self.commit_and_wait(Arc::clone(consumer), offsets.clone(), deadline);
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
            Some(Ok(())) => CommitOutcome::Committed,
            Some(Err(error)) => CommitOutcome::Failed(error),
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
            Some(pending) => replace_offsets(pending, &offsets)?,
            None => state.pending = Some(offsets),
        }
        if !state.has_thread {
            let background = Arc::clone(&self.background);
            let thread = thread::Builder::new().name("kafka-commit".to_owned());
            // Without a thread the offsets stay pending, and the next commit tries again.
            state.has_thread = thread.spawn(move || background.commit_pending(&*consumer)).is_ok();
        }
        Ok(())
    }
}

impl BackgroundCommits {
    /// Commits until no offsets are pending.
    fn commit_pending<Client: CommitClient>(&self, consumer: &Client) {
        loop {
            let mut state = self.state.lock();
            let Some(offsets) = state.pending.take() else {
                state.has_thread = false;
                self.thread_ended.notify_all();
                return;
            };
            drop(state);
            log_failed_commit(consumer.commit_and_await_answer(&offsets));
        }
    }

    /// Waits until no commit is pending or in flight. Returns whether this was so before `deadline`.
    fn wait_for_thread_end(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        self.thread_ended.wait_while_until(&mut state, |state| state.has_thread, deadline);
        !state.has_thread
    }
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
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use rdkafka::{ClientConfig, Offset};

    use super::*;

    /// Commits the offset 5 at a broker that first refuses `refusals` commits with `code`. Returns the outcome and the
    /// offset that the broker stores.
    fn commit_at_refusing_broker(wait: CommitWait, code: RDKafkaRespErr, refusals: usize) -> (CommitOutcome, Offset) {
        let cluster = MockCluster::new(1).expect("a mock cluster");
        cluster.create_topic("t", 1, 1).expect("a topic");
        let consumer: BaseConsumer<LoggingContext> = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "g")
            .create_with_context(LoggingContext)
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
        let list = |offsets: &[(i32, i64)]| {
            let mut list = TopicPartitionList::new();
            for (partition, offset) in offsets {
                list.add_partition_offset("t", *partition, Offset::Offset(*offset)).expect("a valid offset");
            }
            list
        };
        let mut pending = list(&[(0, 5), (1, 7)]);
        replace_offsets(&mut pending, &list(&[(1, 9), (2, 1)])).expect("valid offsets");
        assert_eq!(pending, list(&[(0, 5), (1, 9), (2, 1)]));
    }
}
