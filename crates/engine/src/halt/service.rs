//! Halts that a service causes: the source, the row store, or a running job that should take a savepoint.

use std::fmt;
use std::time::Duration;

use super::parts::{SharedError, format_utc, join_numbers};
use crate::checkpoint::store::StoreFault;
use crate::identifiers::{Offset, Partition};

/// The name and the address of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceAddress {
    /// The name of the product.
    pub product_name: &'static str,
    /// The address of the service, without a password.
    pub address: String,
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.product_name, self.address)
    }
}

/// A service that did not answer within the time allowed, or before a stop was requested.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnreachableService {
    /// The source was unreachable at the start.
    #[error("{service} did not answer within {:.1} s", waited.as_secs_f64())]
    Source {
        /// The source.
        service: ServiceAddress,
        /// The total time of all attempts.
        waited: Duration,
        /// The error of the last attempt.
        source: SharedError,
    },
    /// The source does not report the end offsets of a topic.
    #[error("cannot ask {service} where topic `{topic}` ends")]
    TopicEndsUnknown {
        /// The source.
        service: ServiceAddress,
        /// The topic.
        topic: String,
        /// The error of the request.
        source: SharedError,
    },
    /// The row store was not ready at the start.
    #[error("{service} was not ready within {:.0} s; {attempts} attempts, the last one", waited.as_secs_f64())]
    RowStoreAtStart {
        /// The row store.
        service: ServiceAddress,
        /// The total time of all attempts.
        waited: Duration,
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        source: SharedError,
    },
    /// A stop was requested while the row store was unreachable.
    #[error("stopped while waiting for {service}")]
    StoppedWaitingForRowStore {
        /// The row store.
        service: ServiceAddress,
        /// The error of the last attempt.
        source: SharedError,
    },
    /// A stop was requested while the checkpoint store was unreachable.
    #[error("stopped while waiting for the checkpoint store {place}")]
    StoppedWaitingForCheckpointStore {
        /// The place of the store.
        place: String,
        /// The fault of the last attempt.
        source: StoreFault,
    },
    /// The claim of a partition was not answered.
    #[error("no answer to the claim of partition {partition}: {end}")]
    UnansweredClaim {
        /// The partition.
        partition: Partition,
        /// The reason why the wait ended.
        end: WaitEndReason,
    },
    /// Another savepoint is being taken.
    #[error(
        "another savepoint, {id}, is being taken; try again when it is done. If nothing waits for it any more, it gives way \
         by itself at {}",
        format_utc(*expires_at_ms)
    )]
    SavepointUnderWay {
        /// The name of the other savepoint.
        id: String,
        /// The wall-clock time at which the other request expires, in epoch milliseconds.
        expires_at_ms: i64,
    },
    /// The owners of some partitions did not confirm a savepoint.
    #[error(
        "no savepoint: {end}, and partition {} of {partitions} did not answer. Is the pipeline running, with this group and \
         this checkpoint store, and may it write to the place of the savepoint? Its log says more{}",
        join_numbers(missing),
        if missing.len() < *partitions {
            format!(". {place} holds a part of it, which can be deleted")
        } else {
            String::new()
        }
    )]
    UnconfirmedSavepoint {
        /// The reason why the wait ended.
        end: WaitEndReason,
        /// The partitions that are not confirmed.
        missing: Vec<Partition>,
        /// The number of partitions of the topic.
        partitions: usize,
        /// The place that the confirmed partitions were written to.
        place: String,
    },
}

/// The reason why a wait ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitEndReason {
    /// A stop was requested.
    Stopped,
    /// The time limit was reached.
    TimedOut,
    /// The thread that should answer has ended.
    ThreadEnded,
}

impl fmt::Display for WaitEndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped while waiting",
            Self::TimedOut => "time is over",
            Self::ThreadEnded => "the thread that writes rows has ended",
        })
    }
}

/// A service that answered and refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ServiceRefusal {
    /// The source or its client library refused an operation.
    #[error("{service}: cannot {operation}")]
    Source {
        /// The source.
        service: ServiceAddress,
        /// The refused operation.
        operation: SourceOperation,
        /// The error of the operation.
        source: SharedError,
    },
    /// The configured address of the row store is invalid.
    #[error("the address of the store of rows cannot be used")]
    RowStoreAddress {
        /// The reason why the address is invalid.
        source: SharedError,
    },
    /// The row store rejects the user, or the user lacks a right.
    #[error("{service} refuses access")]
    RowStoreAccess {
        /// The row store.
        service: ServiceAddress,
        /// The answer of the row store.
        source: SharedError,
    },
    /// The row store lacks a feature that Windrow needs.
    #[error("{service} cannot be used")]
    RowStoreUnsuitable {
        /// The row store.
        service: ServiceAddress,
        /// The missing feature.
        source: SharedError,
    },
}

/// An operation that a job requests from its source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceOperation {
    /// Create a client from the settings.
    CreateClient,
    /// Start a broker inside this process.
    StartBroker,
    /// Read the metadata of a topic.
    DescribeTopic(String),
    /// Subscribe to a topic as a member of a group.
    Subscribe(String),
    /// Read a topic as a member of a group.
    ReadTopic(String),
    /// Start reading partitions.
    StartReading,
    /// Continue reading partitions.
    ContinueReading,
    /// Continue after a batch of a topic that cannot be read.
    SkipUnreadableBatch(String),
    /// Continue at an earlier offset.
    Seek(Offset),
    /// Commit an offset.
    Commit(Offset),
    /// Release partitions.
    ReleasePartitions,
}

impl fmt::Display for SourceOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateClient => f.write_str("create a client"),
            Self::StartBroker => f.write_str("start the in-process broker"),
            Self::DescribeTopic(topic) => write!(f, "look at topic `{topic}`"),
            Self::Subscribe(topic) => write!(f, "subscribe to topic `{topic}`"),
            Self::ReadTopic(topic) => write!(f, "read topic `{topic}`"),
            Self::StartReading => f.write_str("start reading"),
            Self::ContinueReading => f.write_str("continue reading"),
            Self::SkipUnreadableBatch(topic) => write!(f, "continue behind an unreadable batch of topic `{topic}`"),
            Self::Seek(offset) => write!(f, "go back to offset {offset}"),
            Self::Commit(offset) => write!(f, "commit offset {offset}"),
            Self::ReleasePartitions => f.write_str("release partitions"),
        }
    }
}
