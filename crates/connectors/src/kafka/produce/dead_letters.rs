//! Writes dead letters, or the records of late events, to a topic. The dead letter of a record has the key and the payload of that record. The headers
//! hold the topic, partition and offset of the record, and the reason for the dead letter.
//!
//! Headers: `windrow.topic`, `windrow.partition`, `windrow.offset`, `windrow.reason`. If the payload was truncated,
//! `windrow.original-bytes` holds the length in bytes of the original payload. The dead letter of a refused row has the
//! key of the row, no payload, and only the header `windrow.reason`. Instead of the reason, the record of a late event has
//! the headers `windrow.feature-views` (names, separated by commas), `windrow.event-time-ms`, `windrow.watermark-ms` and
//! `windrow.lateness-ms`.
//! Also after a crash, the topic holds the dead letters or late events of all records before the committed offsets. If the job reads a
//! record again after a crash, the topic receives that record a second time.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ThreadedProducer};
use tracing::warn;
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{
    DeadLetter, DeadLetterSink, Halt, LateRecord, RefusedRow, RejectedContent, SourceRecord, StopSignal,
};

use super::pending_deliveries::{DeliveryAnswerContext, PendingDeliveries};
use crate::kafka::client_config;
use crate::kafka::halts::build_refused_settings_halt;
use crate::outage::OutageTracker;

/// The most bytes of key and payload together. Kafka's default limit for a record is about 1 MB, so the rest is left
/// for the headers.
const MAX_KEY_AND_PAYLOAD_BYTES: usize = 900_000;
/// The most bytes of a key.
const MAX_KEY_BYTES: usize = 100_000;
/// How long a flush waits for Kafka between two checks for a stop request.
const FLUSH_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);

/// A sink that writes dead letters, or the records of late events, to a topic. Each worker has a sink of its own, and all sinks share one producer.
pub struct KafkaDeadLetters {
    producer: Arc<ThreadedProducer<DeliveryAnswerContext>>,
    topic: Arc<str>,
    content: RejectedContent,
    stop: StopSignal,
    /// The records of this sink that Kafka has not answered yet.
    pending_deliveries: Arc<PendingDeliveries>,
}

impl KafkaDeadLetters {
    /// Creates a sink that writes to `topic` of the Kafka cluster at `brokers`.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(brokers: &str, topic: &str, content: RejectedContent, stop: StopSignal) -> Result<Self, Halt> {
        let producer = client_config::base_config(brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            // 0 means no timeout: while Kafka is unreachable, records are delayed but not lost.
            .set("message.timeout.ms", "0")
            .create_with_context(DeliveryAnswerContext)
            .map_err(|error| build_refused_settings_halt(brokers, error))?;
        let (producer, pending_deliveries) = (Arc::new(producer), Arc::default());
        Ok(Self { producer, topic: topic.into(), content, stop, pending_deliveries })
    }

    /// Creates a sink for a worker, with the producer of this sink. Its flush waits only for its own records.
    #[must_use]
    pub fn create_worker_sink(&self) -> Self {
        Self {
            producer: Arc::clone(&self.producer),
            topic: Arc::clone(&self.topic),
            content: self.content,
            stop: self.stop.clone(),
            pending_deliveries: Arc::default(),
        }
    }

    /// Sends the key and the payload of `record` with `headers`. Cuts them if they are too long together.
    fn send_source_record(&self, record: &SourceRecord<'_>, headers: &[(&str, &str)]) -> Result<(), Halt> {
        let original_bytes = record.payload.unwrap_or_default().len();
        let original_bytes_text = original_bytes.to_string();
        let mut headers = headers.to_vec();
        let key = record.key.map(|key| &key[..key.len().min(MAX_KEY_BYTES)]);
        let room = MAX_KEY_AND_PAYLOAD_BYTES - key.unwrap_or_default().len();
        if original_bytes > room {
            headers.push(("windrow.original-bytes", &original_bytes_text));
        }
        self.send_record(key, record.payload.map(|payload| &payload[..payload.len().min(room)]), &headers)
    }

    fn send_record(&self, key: Option<&[u8]>, payload: Option<&[u8]>, headers: &[(&str, &str)]) -> Result<(), Halt> {
        loop {
            let headers = headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
            let pending = Arc::clone(&self.pending_deliveries);
            let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(&self.topic, pending).headers(headers);
            if let Some(key) = key {
                record = record.key(key);
            }
            if let Some(payload) = payload {
                record = record.payload(payload);
            }
            // Kafka may answer before `send` returns.
            self.pending_deliveries.add_record();
            let Err((error, _)) = self.producer.send(record) else { return Ok(()) };
            self.pending_deliveries.remove_unsent_record();
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) if !self.stop.is_requested() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                error => return Err(self.build_send_error_halt(&error)),
            }
        }
    }

    fn build_send_error_halt(&self, error: &KafkaError) -> Halt {
        let (content, topic) = (self.content, Arc::clone(&self.topic));
        OutputFault::RejectTopicUnwritable { content, topic, source: share_error(error.clone()) }.into()
    }
}

impl DeadLetterSink for KafkaDeadLetters {
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt> {
        let (partition, offset) = (letter.record.partition.to_string(), letter.record.offset.to_string());
        let headers = [
            ("windrow.topic", letter.source_topic),
            ("windrow.partition", &partition),
            ("windrow.offset", &offset),
            ("windrow.reason", letter.reason),
        ];
        self.send_source_record(&letter.record, &headers)
    }

    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt> {
        self.send_record(Some(&row.row_key), None, &[("windrow.reason", &row.reason)])
    }

    fn write_late_record(&mut self, late: LateRecord<'_>) -> Result<(), Halt> {
        let view_names = late.view_names().collect::<Vec<_>>().join(",");
        let numbers = [
            ("windrow.partition", late.record.partition.into()),
            ("windrow.offset", late.record.offset),
            ("windrow.event-time-ms", late.event_time_ms),
            ("windrow.watermark-ms", late.watermark_ms),
            ("windrow.lateness-ms", late.lateness_ms()),
        ];
        let numbers = numbers.map(|(name, number)| (name, number.to_string()));
        let mut headers = vec![("windrow.topic", late.source_topic), ("windrow.feature-views", view_names.as_str())];
        headers.extend(numbers.iter().map(|(name, number)| (*name, number.as_str())));
        self.send_source_record(&late.record, &headers)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        let mut outage = OutageTracker::default();
        while !self.pending_deliveries.wait_for_answers(FLUSH_ATTEMPT_TIMEOUT) {
            if self.stop.is_requested() {
                return Err(self.build_send_error_halt(&KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)));
            }
            if outage.record_failure("the flush timed out").is_some() {
                let content = self.content.noun();
                warn!(topic = &*self.topic, "reading waits until Kafka has stored the {content} of this worker");
            }
        }
        self.pending_deliveries.first_error().map_or(Ok(()), |error| Err(self.build_send_error_halt(&error)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use windrow_engine::RefusedRow;

    use super::*;

    /// One worker has a dead letter on its way to a Kafka that never answers. Another worker does not wait for it.
    #[test]
    fn a_worker_waits_only_for_its_own_dead_letters() {
        let stop = StopSignal::default();
        let first = KafkaDeadLetters::new("127.0.0.1:1", "letters", RejectedContent::DeadLetters, stop.clone())
            .expect("a producer");
        let (mut flooded, mut other) = (first.create_worker_sink(), first.create_worker_sink());
        let row = RefusedRow { row_key: b"user:1".to_vec(), reason: "WRONGTYPE".to_owned() };
        flooded.write_refused_row(&row).expect("queued");
        let (flushed, flush_ended) = mpsc::channel();
        let thread = std::thread::spawn(move || flushed.send(other.flush().is_ok()));
        assert_eq!(flush_ended.recv_timeout(Duration::from_secs(5)), Ok(true), "the flush waits for another worker");
        thread.join().expect("no panic").expect("received");
        stop.request();
        assert!(flooded.flush().is_err(), "its own dead letter has no answer");
    }
}
