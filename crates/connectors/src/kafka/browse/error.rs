//! The errors of requests of the Kafka UI.

use kafka_protocol::error::ResponseError;
use thiserror::Error;

/// The reason why a request of the Kafka UI failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BrowseError {
    /// Kafka, or the broker that holds the answer, does not respond.
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
    /// The broker is too old for the request.
    #[error("{0}")]
    Unsupported(String),
}

impl BrowseError {
    /// Converts Kafka's error `code` of a request about `subject`; returns `None` for the code of success.
    pub(super) fn from_error_code(code: i16, subject: &str) -> Option<Self> {
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
