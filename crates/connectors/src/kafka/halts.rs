//! Creates the errors with which the Kafka connector halts the job.

use windrow_engine::Halt;
use windrow_engine::halt::{ServiceAddress, ServiceRefusal, SourceOperation, share_error};

/// Returns the address of Kafka, as the operator configured it.
pub(super) fn kafka_service_address(brokers: &str) -> ServiceAddress {
    ServiceAddress { product_name: "Kafka", address: brokers.to_owned() }
}

/// Returns the halt for an `operation` that Kafka or librdkafka refused with `error`.
pub(super) fn build_refused_operation_halt<E>(brokers: &str, operation: SourceOperation, error: E) -> Halt
where
    E: std::error::Error + Send + Sync + 'static,
{
    ServiceRefusal::Source { service: kafka_service_address(brokers), operation, source: share_error(error) }.into()
}

/// Returns the halt for client settings that librdkafka refused with `error`.
pub(super) fn build_refused_settings_halt<E>(brokers: &str, error: E) -> Halt
where
    E: std::error::Error + Send + Sync + 'static,
{
    build_refused_operation_halt(brokers, SourceOperation::CreateClient, error)
}
