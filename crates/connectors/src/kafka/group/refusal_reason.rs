//! The reasons why Kafka refuses a member of a consumer group.

use rdkafka::error::RDKafkaErrorCode;

/// The reason why Kafka refuses a member of a consumer group. Only an operator can remove that reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupRefusalReason {
    /// Another process with the same static member name is a member of the group.
    #[error("another process is a member of group `{group}` with the same static member name `{instance}` ({code})")]
    InstanceInUse {
        /// The group.
        group: String,
        /// The static name of the member.
        instance: String,
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// The session timeout is outside the range that the broker allows.
    #[error(
        "Kafka does not allow the session timeout{}. The broker settings group.min.session.timeout.ms (default 6 s) \
         and group.max.session.timeout.ms (default 30 min) limit it",
        session_timeout_ms.map_or_else(String::new, |ms| format!(" of {ms} ms"))
    )]
    SessionTimeoutNotAllowed {
        /// The session timeout in milliseconds; `None` if the broker decides the session timeout.
        session_timeout_ms: Option<i64>,
    },
    /// The broker does not offer the group protocol `consumer`.
    #[error(
        "the broker does not support `group_protocol = \"consumer\"` ({code}). This protocol needs Kafka 4.0, and \
         `consumer` in the broker setting group.coordinator.rebalance.protocols"
    )]
    UnsupportedProtocol {
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// The other members of the group use another group protocol or assignor than this member.
    #[error(
        "group `{group}` has members with another group protocol or assignor ({code}). Another program may use the \
         same group"
    )]
    GroupProtocolMismatch {
        /// The group.
        group: String,
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// Kafka does not allow this group to read the topic.
    #[error("Kafka does not allow group `{group}` to read topic `{topic}` ({code})")]
    NotAuthorized {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// librdkafka ended the consumer with a fatal error.
    #[error("librdkafka stopped the consumer after a fatal error: {reason}")]
    ConsumerEnded {
        /// The reason that librdkafka reports.
        reason: String,
    },
}
