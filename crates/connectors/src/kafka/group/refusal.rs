//! The reasons for which Kafka refuses a member of a consumer group.

use rdkafka::error::RDKafkaErrorCode;

/// The reason for which Kafka refuses a member of a consumer group. Only an operator can remove it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupRefusal {
    /// Another process is in the group with the same static member name.
    #[error("another process is in group `{group}` as `{instance}` ({code})")]
    InstanceInUse {
        /// The group.
        group: String,
        /// The static name of the member.
        instance: String,
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// The broker does not allow the session timeout.
    #[error(
        "it does not allow the session timeout{}: it must lie between the broker's group.min.session.timeout.ms and \
         group.max.session.timeout.ms (6 s and 30 min unless set otherwise)",
        session_timeout_ms.map_or_else(String::new, |ms| format!(" of {ms} ms"))
    )]
    SessionTimeoutNotAllowed {
        /// The session timeout in milliseconds; `None` where the group protocol has none.
        session_timeout_ms: Option<i64>,
    },
    /// The broker does not offer the group protocol `consumer`.
    #[error(
        "it does not offer `group_protocol = \"consumer\"` ({code}): that needs Kafka 4.0, and `consumer` among the broker's \
         group.coordinator.rebalance.protocols"
    )]
    UnsupportedProtocol {
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// The members of the group use another protocol.
    #[error(
        "group `{group}` has members that share partitions in another way ({code}): is it used by another program?"
    )]
    GroupProtocolMismatch {
        /// The group.
        group: String,
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// The group is not allowed to read the topic.
    #[error("it does not let group `{group}` read topic `{topic}` ({code})")]
    NotAuthorized {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The error code of Kafka.
        code: RDKafkaErrorCode,
    },
    /// librdkafka ended the consumer with a fatal error.
    #[error("the consumer was ended: {reason}")]
    ConsumerEnded {
        /// The reason that librdkafka reports.
        reason: String,
    },
}
