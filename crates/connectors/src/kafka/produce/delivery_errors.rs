//! Records that Kafka refused: it answers after sending, to a callback.

use std::sync::OnceLock;

use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// The first error of a delivery; later ones add nothing.
#[derive(Debug, Default)]
pub(super) struct DeliveryErrors {
    first: OnceLock<KafkaError>,
}

impl DeliveryErrors {
    /// Returns why a record was refused, if one was.
    pub(super) fn first_error(&self) -> Option<&KafkaError> {
        self.first.get()
    }
}

impl ClientContext for DeliveryErrors {}

impl ProducerContext for DeliveryErrors {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            // Fails for all errors but the first.
            let _ = self.first.set(error.clone());
        }
    }
}
