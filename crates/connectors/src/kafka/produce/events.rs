//! Sending generated events to a topic.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{Halt, StopSignal};

use super::delivery_errors::DeliveryErrors;
use crate::kafka::client;
use crate::kafka::halts::{kafka_at, refuse_client};

/// Sends keyed records; the key decides the partition as in Kafka's own clients (murmur2).
pub struct EventProducer {
    producer: ThreadedProducer<DeliveryErrors>,
    brokers: String,
    topic: String,
    stop: StopSignal,
}

impl EventProducer {
    /// Creates a producer for `topic` on `brokers`.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(brokers: &str, topic: &str, stop: StopSignal) -> Result<Self, Halt> {
        let producer = client::base_config(brokers)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "20")
            .set("compression.type", "lz4")
            .set("enable.idempotence", "true")
            .create_with_context(DeliveryErrors::default())
            .map_err(|error| refuse_client(brokers, error))?;
        Ok(Self { producer, brokers: brokers.to_owned(), topic: topic.to_owned(), stop })
    }

    /// Queues one record. Waits while the send buffer is full and no stop is requested.
    ///
    /// # Errors
    /// When Kafka cannot take it, or refused an earlier one.
    pub fn send(&self, key: Option<&[u8]>, payload: &[u8]) -> Result<(), Halt> {
        if let Some(error) = self.producer.context().first_error() {
            return Err(self.send_failure(error));
        }
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic).payload(payload);
            if let Some(key) = key {
                record = record.key(key);
            }
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if !self.stop.is_requested() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => return Ok(()), // a stopped generator drops the record
                Err((error, _)) => return Err(self.send_failure(&error)),
            }
        }
    }

    /// Waits until Kafka has stored every record.
    ///
    /// # Errors
    /// When that takes longer than `timeout`, or Kafka refused a record.
    pub fn flush(&self, timeout: Duration) -> Result<(), Halt> {
        self.producer.flush(timeout).map_err(|error| self.send_failure(&error))?;
        self.producer.context().first_error().map_or(Ok(()), |error| Err(self.send_failure(error)))
    }

    fn send_failure(&self, error: &KafkaError) -> Halt {
        OutputFault::TopicUnwritable {
            topic: self.topic.clone(),
            service: kafka_at(&self.brokers),
            source: share_error(error.clone()),
        }
        .into()
    }
}
