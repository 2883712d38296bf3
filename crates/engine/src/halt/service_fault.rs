//! Halts because a service did not answer or refused an operation. The service is the source, the row store, the
//! checkpoint store, or a running job that should write a savepoint.

use std::fmt;
use std::time::Duration;

use super::error_chain::{SharedError, format_utc, join_numbers};
use crate::checkpoint::store::StoreFault;
use crate::identifiers::{Offset, Partition};

/// The product name and the address of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceAddress {
    /// The name of the product, such as Kafka or Redis.
    pub product_name: &'static str,
    /// The address of the service, without a password.
    pub address: String,
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.product_name, self.address)
    }
}

/// A service that did not answer before a time limit or before a stop was requested. Also a savepoint that another
/// process is taking.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnreachableService {
    /// The source was unreachable when the job started.
    #[error("{service} did not answer within {:.1} s", waited.as_secs_f64())]
    Source {
        /// The source.
        service: ServiceAddress,
        /// The total time of all attempts.
        waited: Duration,
        /// The error of the last attempt.
        source: SharedError,
    },
    /// The source did not return the end offsets of a topic.
    #[error("cannot read the end offsets of topic `{topic}` from {service}")]
    TopicEndsUnknown {
        /// The source.
        service: ServiceAddress,
        /// The topic.
        topic: String,
        /// The error of the request.
        source: SharedError,
    },
    /// The row store was not ready when the job started.
    #[error("{service} was not ready within {:.0} s and {attempts} attempts; the last error", waited.as_secs_f64())]
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
        /// The path or URL of the checkpoint store.
        place: String,
        /// The fault of the last attempt.
        source: StoreFault,
    },
    /// A stop was requested while the source did not tell whether it still holds the records that were read.
    #[error("stopped while waiting for the source to describe the log of partition {partition}")]
    StoppedWaitingForLogHistory {
        /// The partition.
        partition: Partition,
        /// The error of the last attempt.
        source: SharedError,
    },
    /// The row store did not answer the claim of a partition.
    #[error("the row store did not answer the claim of partition {partition}: {end}")]
    UnansweredClaim {
        /// The partition.
        partition: Partition,
        /// The reason why the wait ended.
        end: NoAnswerReason,
    },
    /// Another savepoint is being taken.
    #[error(
        "another savepoint, {savepoint_id}, is being taken; try again when it is complete. If the process that takes it has \
         ended, its request expires at {}",
        format_utc(*expires_at_ms)
    )]
    SavepointUnderWay {
        /// The name of the other savepoint.
        savepoint_id: String,
        /// The wall-clock time at which the other request expires, in epoch milliseconds.
        expires_at_ms: i64,
    },
    /// Some partitions of a savepoint were not confirmed by their owners.
    #[error(
        "the savepoint was not taken: {end}, and of {partitions} partitions these are not saved: {}. Check that the pipeline \
         runs with this group and checkpoint store, and may write to {place}. Its log shows failed writes{}",
        join_numbers(missing),
        if missing.len() < *partitions {
            ". The incomplete savepoint can be deleted"
        } else {
            ""
        }
    )]
    UnconfirmedSavepoint {
        /// The reason why the wait ended.
        end: NoAnswerReason,
        /// The numbers of the partitions that are not confirmed.
        missing: Vec<Partition>,
        /// The number of partitions of the topic.
        partitions: usize,
        /// The path or URL of the incomplete savepoint.
        place: String,
    },
}

/// The reason why a wait ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswerReason {
    /// A stop was requested.
    Stopped,
    /// The time limit was reached.
    TimedOut,
    /// The thread that was expected to answer has ended.
    ThreadEnded,
}

impl fmt::Display for NoAnswerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped while waiting",
            Self::TimedOut => "the time limit was reached",
            Self::ThreadEnded => "the thread that writes rows has ended",
        })
    }
}

/// The reason why a service cannot be used: it refused an operation, or it does not meet the requirements.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ServiceRefusal {
    /// An operation of the source failed, and no retry resolves the fault.
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
    #[error("the address of the row store cannot be used")]
    RowStoreAddress {
        /// The reason why the address is invalid.
        source: SharedError,
    },
    /// The row store does not accept the user, or the user lacks a permission.
    #[error("{service} denied access")]
    RowStoreAccess {
        /// The row store.
        service: ServiceAddress,
        /// The answer of the row store.
        source: SharedError,
    },
    /// The row store lacks a feature that Windrow needs, or holds data that Windrow cannot read.
    #[error("{service} cannot be used as the row store")]
    RowStoreUnsuitable {
        /// The row store.
        service: ServiceAddress,
        /// The error that names the missing feature or the unreadable data.
        source: SharedError,
    },
}

/// An operation of the source that failed. An error text names this operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceOperation {
    /// Create a client with the configured settings.
    CreateClient,
    /// Start a Kafka broker inside this process.
    StartBroker,
    /// Read the metadata of a topic.
    DescribeTopic(String),
    /// Subscribe to a topic as a member of a consumer group.
    Subscribe(String),
    /// Read a topic as a member of a consumer group.
    ReadTopic(String),
    /// Start reading partitions.
    StartReading,
    /// Stop reading partitions.
    StopReading,
    /// Continue reading partitions.
    ContinueReading,
    /// Skip an unreadable batch of a topic.
    SkipUnreadableBatch(String),
    /// Commit an offset for the consumer group.
    Commit(Offset),
    /// Give partitions back to the consumer group.
    ReleasePartitions,
}

impl fmt::Display for SourceOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateClient => f.write_str("create a client"),
            Self::StartBroker => f.write_str("start the in-process broker"),
            Self::DescribeTopic(topic) => write!(f, "read the metadata of topic `{topic}`"),
            Self::Subscribe(topic) => write!(f, "subscribe to topic `{topic}`"),
            Self::ReadTopic(topic) => write!(f, "read topic `{topic}`"),
            Self::StartReading => f.write_str("start reading"),
            Self::StopReading => f.write_str("stop reading"),
            Self::ContinueReading => f.write_str("continue reading"),
            Self::SkipUnreadableBatch(topic) => write!(f, "skip an unreadable batch of topic `{topic}`"),
            Self::Commit(offset) => write!(f, "commit offset {offset}"),
            Self::ReleasePartitions => f.write_str("release partitions"),
        }
    }
}
