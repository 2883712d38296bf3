//! What an error of a Kafka consumer means for the job.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use windrow_engine::{FaultClass, Halt};
use windrow_spec::{GroupProtocol, KafkaSourceSpec as Settings};

/// What to do about an error that came instead of a record.
pub(super) enum KafkaFault {
    /// An offset is no longer in Kafka; the error does not name the partition.
    LostOffset,
    /// It ends by itself, or with the next answer of the group.
    Transient,
    /// No retry ends it: the job halts.
    Fatal(Halt),
}

/// Classifies `error`. `fatal` is why librdkafka ended the consumer for good, if it did; `instance` is the name of this
/// member of the group.
pub(super) fn classify_error(
    error: &KafkaError,
    fatal: Option<(RDKafkaErrorCode, String)>,
    settings: &Settings,
    instance: Option<&str>,
) -> KafkaFault {
    let Settings { brokers, topic, group, .. } = settings;
    let ended = match (error, fatal) {
        (_, Some((code, why))) => Some((code, why)),
        (KafkaError::MessageConsumptionFatal(code), None) => Some((*code, code.to_string())),
        _ => None,
    };
    let Some(code) = ended.as_ref().map(|(code, _)| *code).or_else(|| error.rdkafka_error_code()) else {
        return KafkaFault::Transient;
    };
    let refused = |why: String| KafkaFault::Fatal(Halt::Refused(why));
    match code {
        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => KafkaFault::LostOffset,
        RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::UnreleasedInstanceId => refused(format!(
            "another process is in group `{group}` as `{}` ({code}): two must not run with the same `--instance`. Stop \
             one of them, or give each its own name. If the other one was killed, wait until the group misses it (the \
             session timeout), then start again.",
            instance.unwrap_or("?")
        )),
        RDKafkaErrorCode::InvalidSessionTimeout => refused(format!(
            "Kafka at {brokers} does not allow the session timeout{}: it must lie between the broker's \
             group.min.session.timeout.ms and group.max.session.timeout.ms (6 s and 30 min unless set otherwise). Change \
             `source.kafka.session_timeout`, or those.",
            match settings.group_protocol {
                GroupProtocol::Classic { session_timeout_ms } => format!(" of {session_timeout_ms} ms"),
                GroupProtocol::Consumer => String::new(),
            }
        )),
        RDKafkaErrorCode::UnsupportedVersion | RDKafkaErrorCode::UnsupportedFeature
            if settings.group_protocol == GroupProtocol::Consumer =>
        {
            refused(format!(
                "Kafka at {brokers} does not offer `group_protocol = \"consumer\"` ({code}): that needs Kafka 4.0, and \
                 `consumer` among the broker's group.coordinator.rebalance.protocols. Write \
                 `source.kafka.group_protocol = \"classic\"`, which every broker offers."
            ))
        }
        RDKafkaErrorCode::InconsistentGroupProtocol => refused(format!(
            "group `{group}` has members that share partitions in another way ({code}): is it used by another program? \
             Use another `source.kafka.group`, or stop those members."
        )),
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::InvalidGroupId => {
            refused(format!("Kafka at {brokers} does not let group `{group}` read topic `{topic}`: {code}"))
        }
        _ => match ended {
            Some((_, why)) => refused(format!("Kafka at {brokers} ended the consumer: {why}")),
            None => KafkaFault::Transient,
        },
    }
}

/// Returns what can end an error that Kafka or librdkafka reports with `code`.
pub(crate) const fn error_class(code: RDKafkaErrorCode) -> FaultClass {
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
