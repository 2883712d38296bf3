//! Halts because of a service: the source, the store of rows, or a running job that is asked for a savepoint.

use std::fmt;
use std::time::Duration;

use super::parts::{SharedError, format_utc, join_numbers};
use crate::checkpoint::store::StoreFault;
use crate::identifiers::{Offset, Partition};

/// Which service it is, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceAddress {
    /// The name of the product.
    pub name: &'static str,
    /// Its address, without a password.
    pub address: String,
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.address)
    }
}

/// A service that did not answer within the time allowed, or before a stop.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnreachableService {
    /// The source was not reachable at the start.
    #[error("{service} did not answer within {:.1} s", waited.as_secs_f64())]
    Source {
        /// The source.
        service: ServiceAddress,
        /// How long it was asked.
        waited: Duration,
        /// Why the last attempt failed.
        source: SharedError,
    },
    /// The source does not say where the topic ends.
    #[error("cannot ask {service} where topic `{topic}` ends")]
    TopicEnds {
        /// The source.
        service: ServiceAddress,
        /// The topic.
        topic: String,
        /// Why.
        source: SharedError,
    },
    /// The store of rows was not ready at the start.
    #[error("{service} was not ready within {:.0} s; {attempts} attempts, the last one", waited.as_secs_f64())]
    RowStore {
        /// The store of rows.
        service: ServiceAddress,
        /// How long it was asked.
        waited: Duration,
        /// How often it was asked.
        attempts: u32,
        /// Why the last attempt failed.
        source: SharedError,
    },
    /// A stop was requested while the store of rows was unreachable.
    #[error("stopped while waiting for {service}")]
    StoppedWaitingForRowStore {
        /// The store of rows.
        service: ServiceAddress,
        /// Why the last attempt failed.
        source: SharedError,
    },
    /// A stop was requested while the checkpoint store was unreachable.
    #[error("stopped while waiting for the checkpoint store {place}")]
    StoppedWaitingForCheckpointStore {
        /// The place of the store.
        place: String,
        /// Why the last attempt failed.
        source: StoreFault,
    },
    /// The wait for a claim ended without an answer.
    #[error("no answer to the claim of partition {partition}: {end}")]
    UnansweredClaim {
        /// The partition.
        partition: Partition,
        /// Why the wait ended.
        end: WaitEnd,
    },
    /// Another savepoint is being taken.
    #[error(
        "another savepoint, {id}, is being taken; try again when it is done. If nothing waits for it any more, it gives way \
         by itself at {}",
        format_utc(*expires_at_ms)
    )]
    SavepointUnderWay {
        /// The other savepoint.
        id: String,
        /// When its request expires, in epoch milliseconds of the wall clock.
        expires_at_ms: i64,
    },
    /// Some owners of partitions did not confirm a savepoint.
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
        /// Why the wait ended.
        end: WaitEnd,
        /// The partitions that are not in it.
        missing: Vec<Partition>,
        /// How many partitions the topic has.
        partitions: usize,
        /// Where the other partitions were written.
        place: String,
    },
}

/// Why a wait ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitEnd {
    /// A stop was requested.
    Stopped,
    /// The time allowed is over.
    TimedOut,
    /// The thread that should answer has ended.
    ThreadEnded,
}

impl fmt::Display for WaitEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped while waiting",
            Self::TimedOut => "time is over",
            Self::ThreadEnded => "the thread that writes rows has ended",
        })
    }
}

/// A service that answered, and refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ServiceRefusal {
    /// The source, or its client library, refused an operation.
    #[error("{service}: cannot {operation}")]
    Source {
        /// The source.
        service: ServiceAddress,
        /// What was refused.
        operation: SourceOperation,
        /// Why.
        source: SharedError,
    },
    /// The address of the store of rows is none.
    #[error("the address of the store of rows cannot be used")]
    RowStoreAddress {
        /// Why.
        source: SharedError,
    },
    /// The store of rows does not let this user in, or lacks a right.
    #[error("{service} refuses access")]
    RowStoreAccess {
        /// The store of rows.
        service: ServiceAddress,
        /// Its answer.
        source: SharedError,
    },
    /// The store of rows cannot do what is needed.
    #[error("{service} cannot be used")]
    RowStoreUnsuitable {
        /// The store of rows.
        service: ServiceAddress,
        /// Why.
        source: SharedError,
    },
}

/// What a job asks of its source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceOperation {
    /// Create a client from the settings.
    CreateClient,
    /// Start a broker inside this process.
    StartBroker,
    /// Look at a topic.
    DescribeTopic(String),
    /// Subscribe to a topic as a member of a group.
    Subscribe(String),
    /// Read a topic as a member of a group.
    ReadTopic(String),
    /// Start to read partitions.
    StartReading,
    /// Continue to read partitions.
    ContinueReading,
    /// Continue behind a batch of a topic that cannot be read.
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
