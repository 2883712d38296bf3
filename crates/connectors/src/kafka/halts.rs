//! The halts of this connector.

use windrow_engine::Halt;
use windrow_engine::halt::{ServiceAddress, ServiceRefusal, SourceOperation, share_error};

/// Kafka, as the operator configured it.
pub(super) fn kafka_at(brokers: &str) -> ServiceAddress {
    ServiceAddress { name: "Kafka", address: brokers.to_owned() }
}

/// Kafka, or its client library, refused `operation`.
pub(super) fn refuse_operation<E>(brokers: &str, operation: SourceOperation, error: E) -> Halt
where
    E: std::error::Error + Send + Sync + 'static,
{
    ServiceRefusal::Source { service: kafka_at(brokers), operation, source: share_error(error) }.into()
}

/// Kafka's client library refused the settings of a client.
pub(super) fn refuse_client<E>(brokers: &str, error: E) -> Halt
where
    E: std::error::Error + Send + Sync + 'static,
{
    refuse_operation(brokers, SourceOperation::CreateClient, error)
}
