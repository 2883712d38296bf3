//! Keeps the first delivery error of a producer. librdkafka reports a refused record to a callback, after `send`
//! has returned.

use std::sync::OnceLock;

use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// The first delivery error of a producer. Later errors are discarded.
#[derive(Debug, Default)]
pub(super) struct FirstDeliveryError {
    first: OnceLock<KafkaError>,
}

impl FirstDeliveryError {
    /// Returns the first error with which Kafka refused a record, if any.
    pub(super) fn first_error(&self) -> Option<&KafkaError> {
        self.first.get()
    }
}

impl ClientContext for FirstDeliveryError {}

impl ProducerContext for FirstDeliveryError {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            // `set` fails if an earlier error is stored. The earlier error stays.
            let _ = self.first.set(error.clone());
        }
    }
}
