//! Dead letters to a topic: the original key and bytes, with where they came from and why in headers.
//!
//! Headers: `windrow.topic`, `windrow.partition`, `windrow.offset`, `windrow.reason`, and `windrow.original-bytes` with
//! the full length where the payload had to be cut to fit into a record. A row that the store refused has its key as
//! record key, no payload, and only `windrow.reason`.
//! After a crash: everything before the last committed offsets is in the topic; a record read again is sent again.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use windrow_engine::{DeadLetter, DeadLetters, Halt, RefusedRow, Stop};

use super::client;

/// The longest payload sent: what fits into a record under Kafka's default limits, with room for key and headers.
const PAYLOAD_BYTES_MAX: usize = 900_000;
/// How long one wait for Kafka takes before a stop request is looked for.
const FLUSH_STEP: Duration = Duration::from_millis(500);

/// A topic of dead letters that any number of workers send to.
#[derive(Clone)]
pub struct KafkaDeadLetters {
    producer: Arc<ThreadedProducer<DefaultProducerContext>>,
    topic: Arc<str>,
    stop: Stop,
}

impl KafkaDeadLetters {
    /// Sends to `topic` on `brokers`.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(brokers: &str, topic: &str, stop: Stop) -> Result<Self, Halt> {
        let producer = client::base(brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            // Kafka that is away delays dead letters; it does not lose them.
            .set("message.timeout.ms", "0")
            .create()
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka producer: {error}")))?;
        Ok(Self { producer: Arc::new(producer), topic: topic.into(), stop })
    }

    fn send(&self, key: Option<&[u8]>, payload: Option<&[u8]>, headers: &[(&str, &str)]) -> Result<(), Halt> {
        loop {
            let headers = headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
            let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic).headers(headers);
            if let Some(key) = key {
                record = record.key(key);
            }
            if let Some(payload) = payload {
                record = record.payload(payload);
            }
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if !self.stop.requested() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(self.failed(&error)),
            }
        }
    }

    fn failed(&self, error: &KafkaError) -> Halt {
        Halt::Output(format!("cannot send dead letters to topic `{}`: {error}", self.topic))
    }
}

impl DeadLetters for KafkaDeadLetters {
    fn keep(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt> {
        let (partition, offset) = (letter.record.partition.to_string(), letter.record.offset.to_string());
        let mut headers = vec![
            ("windrow.topic", letter.topic),
            ("windrow.partition", &partition),
            ("windrow.offset", &offset),
            ("windrow.reason", letter.reason),
        ];
        let payload = letter.record.payload;
        let original_bytes = payload.unwrap_or_default().len();
        let original_bytes_text = original_bytes.to_string();
        if original_bytes > PAYLOAD_BYTES_MAX {
            headers.push(("windrow.original-bytes", &original_bytes_text));
        }
        let cut = payload.map(|payload| &payload[..payload.len().min(PAYLOAD_BYTES_MAX)]);
        self.send(letter.record.key, cut, &headers)
    }

    fn keep_row(&mut self, row: &RefusedRow) -> Result<(), Halt> {
        self.send(Some(&row.key), None, &[("windrow.reason", &row.reason)])
    }

    fn flush(&mut self) -> Result<(), Halt> {
        loop {
            match self.producer.flush(FLUSH_STEP) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) if !self.stop.requested() => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }
}
