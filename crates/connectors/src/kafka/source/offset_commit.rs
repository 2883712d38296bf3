//! Commits offsets. A commit ends in bounded time, also while Kafka is unreachable.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use windrow_engine::CommitWait;

use crate::kafka::call_timeout::run_with_timeout;

const COMMIT_TIMEOUT: Duration = Duration::from_secs(4);

/// The result of a commit.
pub(super) enum CommitOutcome {
    /// For [`CommitWait::AwaitAnswer`]: Kafka stored the offsets. For [`CommitWait::Background`]: librdkafka queued the
    /// request, and a callback logs a failure.
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

/// Commits `offsets` through `consumer`. With [`CommitWait::AwaitAnswer`], waits at most [`COMMIT_TIMEOUT`] for Kafka's
/// answer.
pub(super) fn commit_offsets<C: ConsumerContext + 'static>(
    consumer: Arc<BaseConsumer<C>>,
    offsets: TopicPartitionList,
    wait: CommitWait,
) -> CommitOutcome {
    let result = match wait {
        CommitWait::AwaitAnswer => {
            run_with_timeout(COMMIT_TIMEOUT, move || consumer.commit(&offsets, CommitMode::Sync))
        }
        CommitWait::Background => Some(consumer.commit(&offsets, CommitMode::Async)),
    };
    match result {
        Some(Ok(())) => CommitOutcome::Committed,
        Some(Err(error)) => CommitOutcome::Failed(error),
        None => CommitOutcome::TimedOut,
    }
}
