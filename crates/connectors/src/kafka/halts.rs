//! Creates the halts of the Kafka connector.

use windrow_engine::Halt;
use windrow_engine::halt::{ServiceAddress, ServiceRefusal, SourceOperation, share_error};

/// Returns the address of Kafka, as the operator configured it.
pub(super) fn kafka_service_address(brokers: &str) -> ServiceAddress {
    ServiceAddress { product_name: "Kafka", address: brokers.to_owned() }
}

/// Returns the halt of a job for which Kafka, or its client library, refused `operation`.
pub(super) fn halt_for_refused_operation<E>(brokers: &str, operation: SourceOperation, error: E) -> Halt
where
    E: std::error::Error + Send + Sync + 'static,
{
    ServiceRefusal::Source { service: kafka_service_address(brokers), operation, source: share_error(error) }.into()
}

/// Returns the halt of a job for which librdkafka refused the settings of a client.
pub(super) fn halt_for_refused_client<E>(brokers: &str, error: E) -> Halt
where
    E: std::error::Error + Send + Sync + 'static,
{
    halt_for_refused_operation(brokers, SourceOperation::CreateClient, error)
}
