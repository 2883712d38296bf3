//! Sends generated events to a topic.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{Halt, StopSignal};

use super::delivery_errors::FirstDeliveryError;
use crate::kafka::client_config;
use crate::kafka::halts::{build_refused_settings_halt, kafka_service_address};

/// A producer of generated events. The key of a record determines the partition of the record, as in Kafka's own
/// clients (murmur2).
pub struct EventProducer {
    producer: ThreadedProducer<FirstDeliveryError>,
    brokers: String,
    topic: String,
    stop: StopSignal,
}

impl EventProducer {
    /// Creates a producer that sends records to `topic` of the Kafka cluster at `brokers`.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(brokers: &str, topic: &str, stop: StopSignal) -> Result<Self, Halt> {
        let producer = client_config::base_config(brokers)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "20")
            .set("compression.type", "lz4")
            .set("enable.idempotence", "true")
            .create_with_context(FirstDeliveryError::default())
            .map_err(|error| build_refused_settings_halt(brokers, error))?;
        Ok(Self { producer, brokers: brokers.to_owned(), topic: topic.to_owned(), stop })
    }

    /// Queues one record. Waits while the send buffer is full. If the process is asked to stop during the wait, drops
    /// the record.
    ///
    /// # Errors
    /// When librdkafka cannot send the record, or Kafka refused an earlier record.
    pub fn send(&self, key: Option<&[u8]>, payload: &[u8]) -> Result<(), Halt> {
        if let Some(error) = self.producer.context().first_error() {
            return Err(self.build_send_error_halt(error));
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
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => return Ok(()), // stopped: drops the record
                Err((error, _)) => return Err(self.build_send_error_halt(&error)),
            }
        }
    }

    /// Waits until Kafka has stored every record that earlier calls of [`Self::send`] queued.
    ///
    /// # Errors
    /// When Kafka does not store all records within `timeout`, or has refused a record.
    pub fn flush(&self, timeout: Duration) -> Result<(), Halt> {
        self.producer.flush(timeout).map_err(|error| self.build_send_error_halt(&error))?;
        self.producer.context().first_error().map_or(Ok(()), |error| Err(self.build_send_error_halt(error)))
    }

    fn build_send_error_halt(&self, error: &KafkaError) -> Halt {
        OutputFault::TopicUnwritable {
            topic: self.topic.clone(),
            service: kafka_service_address(&self.brokers),
            source: share_error(error.clone()),
        }
        .into()
    }
}
