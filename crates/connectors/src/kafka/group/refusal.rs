//! Why Kafka refuses a member of a consumer group.

use rdkafka::error::RDKafkaErrorCode;

/// Why Kafka refuses a member of a consumer group. Only an operator can change that.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupRefusal {
    /// Another process is in the group under the same static name.
    #[error("another process is in group `{group}` as `{instance}` ({code})")]
    InstanceInUse {
        /// The group.
        group: String,
        /// The static name of the member.
        instance: String,
        /// Kafka's error.
        code: RDKafkaErrorCode,
    },
    /// The broker does not allow the session timeout.
    #[error(
        "it does not allow the session timeout{}: it must lie between the broker's group.min.session.timeout.ms and \
         group.max.session.timeout.ms (6 s and 30 min unless set otherwise)",
        session_timeout_ms.map_or_else(String::new, |ms| format!(" of {ms} ms"))
    )]
    SessionTimeout {
        /// The session timeout in milliseconds, where the group protocol has one.
        session_timeout_ms: Option<i64>,
    },
    /// The broker does not offer the group protocol `consumer`.
    #[error(
        "it does not offer `group_protocol = \"consumer\"` ({code}): that needs Kafka 4.0, and `consumer` among the broker's \
         group.coordinator.rebalance.protocols"
    )]
    UnsupportedProtocol {
        /// Kafka's error.
        code: RDKafkaErrorCode,
    },
    /// Members of the group use another protocol.
    #[error(
        "group `{group}` has members that share partitions in another way ({code}): is it used by another program?"
    )]
    OtherProtocol {
        /// The group.
        group: String,
        /// Kafka's error.
        code: RDKafkaErrorCode,
    },
    /// The group may not read the topic.
    #[error("it does not let group `{group}` read topic `{topic}` ({code})")]
    NotAuthorized {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// Kafka's error.
        code: RDKafkaErrorCode,
    },
    /// The client has ended the consumer for good.
    #[error("the consumer was ended: {reason}")]
    ConsumerEnded {
        /// The client's reason.
        reason: String,
    },
}
