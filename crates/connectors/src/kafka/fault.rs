//! Classifies the errors of Kafka consumers: lost offsets, transient errors, and errors that halt the job.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use windrow_engine::halt::SourceOperation;
use windrow_engine::{FaultClass, Halt};
use windrow_spec::{GroupProtocol, KafkaSourceSpec};

use super::client_context::FatalClientError;
use super::group::GroupRefusalReason;
use super::halts::build_refused_operation_halt;

/// The class of an error that a poll returned instead of a record.
pub(super) enum KafkaFault {
    /// Kafka no longer holds the offset at which the next read of a partition begins. The error does not name the
    /// partition.
    LostOffset,
    /// Retries can end the error, so the job continues.
    Transient,
    /// Kafka refused the static name of the group member, and librdkafka ended the member's consumer.
    StaticNameRefused(RDKafkaErrorCode),
    /// No retry can end the error, so the job halts.
    Fatal(Halt),
}

/// Returns the class of `error`. If librdkafka ended the consumer with the error `fatal`, returns the class of `fatal`
/// instead.
pub(super) fn classify_consumer_error(
    error: &KafkaError,
    fatal: Option<FatalClientError>,
    settings: &KafkaSourceSpec,
) -> KafkaFault {
    let KafkaSourceSpec { brokers, topic, consumer_group: group, .. } = settings;
    let ended = match (error, fatal) {
        (_, Some(fatal)) => Some(fatal),
        (KafkaError::MessageConsumptionFatal(code), None) => {
            Some(FatalClientError { code: *code, reason: code.to_string() })
        }
        _ => None,
    };
    let Some(code) = ended.as_ref().map(|ended| ended.code).or_else(|| error.rdkafka_error_code()) else {
        return KafkaFault::Transient;
    };
    let refused = |refusal: GroupRefusalReason| {
        KafkaFault::Fatal(build_refused_operation_halt(brokers, SourceOperation::ReadTopic(topic.clone()), refusal))
    };
    match code {
        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => KafkaFault::LostOffset,
        RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::UnreleasedInstanceId => {
            KafkaFault::StaticNameRefused(code)
        }
        RDKafkaErrorCode::InvalidSessionTimeout => {
            let session_timeout_ms = match settings.group_protocol {
                GroupProtocol::Classic { session_timeout_ms } => Some(session_timeout_ms),
                GroupProtocol::Consumer => None,
            };
            refused(GroupRefusalReason::SessionTimeoutNotAllowed { session_timeout_ms })
        }
        RDKafkaErrorCode::UnsupportedVersion | RDKafkaErrorCode::UnsupportedFeature
            if settings.group_protocol == GroupProtocol::Consumer =>
        {
            refused(GroupRefusalReason::UnsupportedProtocol { code })
        }
        RDKafkaErrorCode::InconsistentGroupProtocol => {
            refused(GroupRefusalReason::GroupProtocolMismatch { group: group.clone(), code })
        }
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::InvalidGroupId => {
            refused(GroupRefusalReason::NotAuthorized { group: group.clone(), topic: topic.clone(), code })
        }
        _ => match ended {
            Some(ended) => refused(GroupRefusalReason::ConsumerEnded { reason: ended.reason }),
            None => KafkaFault::Transient,
        },
    }
}

/// Returns whether a retry can end an error with `code`, or whether the error needs an operator.
pub(crate) const fn classify_error_code(code: RDKafkaErrorCode) -> FaultClass {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed
        | RDKafkaErrorCode::SaslAuthenticationFailed
        | RDKafkaErrorCode::InvalidTopic
        | RDKafkaErrorCode::InvalidGroupId
        | RDKafkaErrorCode::InvalidSessionTimeout
        | RDKafkaErrorCode::InconsistentGroupProtocol
        | RDKafkaErrorCode::FencedInstanceId
        | RDKafkaErrorCode::UnreleasedInstanceId => FaultClass::NeedsOperator,
        _ => FaultClass::Transient,
    }
}
