//! Looking at a Kafka cluster for people: brokers, topics, records, groups; and sending one record.
//!
//! Owns: everything the Kafka UI shows and does. Does not own: pages, JSON over HTTP, how many visitors at once.
//! Two ways to Kafka: records go through librdkafka, which knows batches, compression and transactions; what brokers say
//! of themselves is asked directly (`wire.rs`), since librdkafka does not ask for sizes on disk or groups of the new
//! protocol.
//! Invariants: nothing here commits an offset, joins a group or creates a topic; every call has an end, also with Kafka
//! away; memory is bounded whatever the records are.

mod cluster;
mod edges;
mod groups;
mod members;
mod page;
mod positions;
mod produce;
mod reader;
mod record;
mod session;
mod tail;
mod topics;
mod wire;

pub use cluster::{BrokerSummary, ClusterOverview};
pub use groups::{GroupDetails, GroupPartition, GroupSummary};
pub use members::GroupMember;
pub use page::{PageEnd, PagePlan, PageRequest, PageStart, RecordPage};
pub use positions::PartitionPositions;
pub use produce::{NewRecord, WrittenRecord};
pub use record::{BrowsedRecord, BytePreview, RecordHeader};
pub use tail::{TailBatch, TailPlan, TailRequest};
pub use topics::{TopicDetails, TopicPartition, TopicSetting, TopicSummary};

use kafka_protocol::error::ResponseError;
use thiserror::Error;

/// A Kafka cluster to look at. Holds no connection: every question makes its own, so nothing has to recover when Kafka
/// comes back.
#[derive(Clone, Debug)]
pub struct KafkaBrowser {
    brokers: String,
}

impl KafkaBrowser {
    /// The cluster behind `brokers`, `host:port` separated by commas.
    #[must_use]
    pub fn new(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned() }
    }

    /// The addresses it was made with.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BrowseError {
    /// Kafka, or the broker that would know, does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// There is no such topic, partition or group.
    #[error("{0}")]
    NotFound(String),
    /// What was asked makes no sense.
    #[error("{0}")]
    InvalidRequest(String),
    /// Kafka does not let us.
    #[error("{0}")]
    Refused(String),
    /// The broker is too old to know the question.
    #[error("{0}")]
    Unsupported(String),
}

impl BrowseError {
    /// What Kafka's error `code` means for a question about `what`; `None` for success.
    fn from_code(code: i16, subject: &str) -> Option<Self> {
        let error = ResponseError::try_from_code(code)?;
        Some(match error {
            ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId => {
                Self::NotFound(format!("there is no {subject}"))
            }
            ResponseError::GroupIdNotFound => Self::NotFound(format!("there is no {subject}")),
            ResponseError::InvalidTopicException => {
                Self::NotFound(format!("there can be no {subject}: Kafka allows no such name"))
            }
            ResponseError::CoordinatorNotAvailable
            | ResponseError::CoordinatorLoadInProgress
            | ResponseError::NotCoordinator
            | ResponseError::LeaderNotAvailable
            | ResponseError::NotLeaderOrFollower
            | ResponseError::BrokerNotAvailable
            | ResponseError::KafkaStorageError
            | ResponseError::RequestTimedOut => {
                Self::Unreachable(format!("Kafka cannot tell about {subject} now: {error}"))
            }
            error => Self::Refused(format!("Kafka does not tell about {subject}: {error}")),
        })
    }
}
