//! Sending events to a topic, for the generator and the demo.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use windrow_engine::Halt;

use super::client;

/// Sends keyed records; the key decides the partition as Kafka's own clients do it (murmur2).
pub struct EventProducer {
    producer: ThreadedProducer<DefaultProducerContext>,
    brokers: String,
    topic: String,
}

impl EventProducer {
    /// A producer for `topic` on `brokers`.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(brokers: &str, topic: &str) -> Result<Self, Halt> {
        let producer = client::base(brokers)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "20")
            .set("compression.type", "lz4")
            .set("enable.idempotence", "true")
            .create()
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka producer: {error}")))?;
        Ok(Self { producer, brokers: brokers.to_owned(), topic: topic.to_owned() })
    }

    /// Hands one record over, waiting while the send buffer is full.
    ///
    /// # Errors
    /// When Kafka cannot take it.
    pub fn send(&self, key: Option<&[u8]>, payload: &[u8]) -> Result<(), Halt> {
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic).payload(payload);
            if let Some(key) = key {
                record = record.key(key);
            }
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(self.failed(&error)),
            }
        }
    }

    /// Waits until everything handed over has been taken by Kafka.
    ///
    /// # Errors
    /// When that takes longer than `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), Halt> {
        self.producer.flush(patience).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &KafkaError) -> Halt {
        Halt::Output(format!("cannot send to topic `{}` on Kafka at {}: {error}", self.topic, self.brokers))
    }
}
