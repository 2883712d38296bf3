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
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use windrow_engine::CommitWait;

use crate::kafka::call_timeout::run_with_timeout;
use crate::kafka::client_context::log_failed_commit;

const COMMIT_TIMEOUT: Duration = Duration::from_secs(4);

/// The result of a commit.
pub(super) enum CommitOutcome {
    /// For [`CommitWait::AwaitAnswer`]: Kafka stored the offsets. For [`CommitWait::Background`]: a thread commits the
    /// offsets, and logs a failure.
    Committed,
    Failed(KafkaError),
    TimedOut,
}

impl fmt::Display for CommitOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed => f.write_str("committed"),
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut => write!(f, "Kafka did not answer within {} s", COMMIT_TIMEOUT.as_secs()),
        }
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
    /// Commits `offsets` through `consumer`. With [`CommitWait::AwaitAnswer`], waits at most [`COMMIT_TIMEOUT`] for the
    /// commits in the background and for Kafka's answer.
    pub(super) fn commit<C: ConsumerContext + 'static>(
        &self,
        consumer: Arc<BaseConsumer<C>>,
        offsets: TopicPartitionList,
        wait: CommitWait,
    ) -> CommitOutcome {
        let result = match wait {
            CommitWait::Background => Some(self.commit_in_background(consumer, offsets)),
            CommitWait::AwaitAnswer => {
                let deadline = Instant::now() + COMMIT_TIMEOUT;
                if !self.background.wait_for_thread_end(deadline) {
                    return CommitOutcome::TimedOut;
                }
                let remaining = deadline.saturating_duration_since(Instant::now());
                run_with_timeout(remaining, move || consumer.commit(&offsets, CommitMode::Sync))
            }
        };
        match result {
            Some(Ok(())) => CommitOutcome::Committed,
            Some(Err(error)) => CommitOutcome::Failed(error),
            None => CommitOutcome::TimedOut,
        }
    }

    fn commit_in_background<C: ConsumerContext + 'static>(
        &self,
        consumer: Arc<BaseConsumer<C>>,
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
            state.has_thread = thread.spawn(move || background.commit_pending(&consumer)).is_ok();
        }
        Ok(())
    }
}

impl BackgroundCommits {
    /// Commits until no offsets are pending.
    fn commit_pending<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) {
        loop {
            let mut state = self.state.lock();
            let Some(offsets) = state.pending.take() else {
                state.has_thread = false;
                self.thread_ended.notify_all();
                return;
            };
            drop(state);
            log_failed_commit(consumer.commit(&offsets, CommitMode::Sync));
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
    use rdkafka::Offset;

    use super::*;

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
