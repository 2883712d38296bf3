//! The errors of requests of the Kafka UI.

use kafka_protocol::error::ResponseError;
use thiserror::Error;
use windrow_core::text::format_count_with_noun;

/// The reason why a request of the Kafka UI failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BrowseError {
    /// Kafka does not answer, or the only broker that can answer the request cannot answer it at the moment.
    #[error("{0}")]
    Unreachable(String),
    /// The topic, partition or group does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The request itself is invalid.
    #[error("{0}")]
    InvalidRequest(String),
    /// Kafka refused the request.
    #[error("{0}")]
    Refused(String),
    /// The broker does not support the request, usually because the broker's version is too old.
    #[error("{0}")]
    Unsupported(String),
}

impl BrowseError {
    /// Converts `code`, the error code in an answer of Kafka, into an error. `subject` names what the request asked
    /// about, for the text of the error. Returns `None` if the code means success.
    pub(super) fn from_error_code(code: i16, subject: &str) -> Option<Self> {
        let error = ResponseError::try_from_code(code)?;
        Some(match error {
            ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId | ResponseError::GroupIdNotFound => {
                Self::NotFound(format!("there is no {subject}"))
            }
            ResponseError::InvalidTopicException => {
                Self::NotFound(format!("{subject} cannot exist: Kafka does not allow such a name"))
            }
            ResponseError::CoordinatorNotAvailable
            | ResponseError::CoordinatorLoadInProgress
            | ResponseError::NotCoordinator
            | ResponseError::LeaderNotAvailable
            | ResponseError::NotLeaderOrFollower
            | ResponseError::BrokerNotAvailable
            | ResponseError::KafkaStorageError
            | ResponseError::RequestTimedOut => {
                Self::Unreachable(format!("Kafka cannot describe {subject} at the moment: {error}"))
            }
            error => Self::Refused(format!("Kafka refuses to describe {subject}: {error}")),
        })
    }
}

/// Returns a message that tells the user that `topic` has no partition with the number `partition`. `partition_count`
/// is the topic's number of partitions.
pub(super) fn describe_missing_partition(topic: &str, partition: i32, partition_count: usize) -> String {
    let count = format_count_with_noun(u64::try_from(partition_count).unwrap_or(u64::MAX), "partition");
    format!("topic `{topic}` has no partition {partition}: it has {count}, numbered from 0")
}
