//! Why a request of the Kafka UI has no answer.

use kafka_protocol::error::ResponseError;
use thiserror::Error;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BrowseError {
    /// Kafka, or the broker that holds the answer, does not respond.
    #[error("{0}")]
    Unreachable(String),
    /// There is no such topic, partition or group.
    #[error("{0}")]
    NotFound(String),
    /// The request itself is invalid.
    #[error("{0}")]
    InvalidRequest(String),
    /// Kafka refused the request.
    #[error("{0}")]
    Refused(String),
    /// The broker is too old for the request.
    #[error("{0}")]
    Unsupported(String),
}

impl BrowseError {
    /// Returns what Kafka's error `code` means for a request about `subject`; `None` for success.
    pub(super) fn from_code(code: i16, subject: &str) -> Option<Self> {
        let error = ResponseError::try_from_code(code)?;
        Some(match error {
            ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId | ResponseError::GroupIdNotFound => {
                Self::NotFound(format!("there is no {subject}"))
            }
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
                Self::Unreachable(format!("Kafka cannot describe {subject} at the moment: {error}"))
            }
            error => Self::Refused(format!("Kafka refuses to describe {subject}: {error}")),
        })
    }
}
