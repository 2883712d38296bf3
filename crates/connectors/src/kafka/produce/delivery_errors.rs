//! What became of the records a producer sent: Kafka answers later, and only a callback hears it.

use std::sync::OnceLock;

use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// Remembers the first record that Kafka refused.
#[derive(Debug, Default)]
pub(super) struct DeliveryErrors {
    first: OnceLock<KafkaError>,
}

impl DeliveryErrors {
    /// Why a record was refused, if one was.
    pub(super) fn first_error(&self) -> Option<&KafkaError> {
        self.first.get()
    }
}

impl ClientContext for DeliveryErrors {}

impl ProducerContext for DeliveryErrors {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            // Only the first is told; a later one has nothing to add.
            let _ = self.first.set(error.clone());
        }
    }
}
