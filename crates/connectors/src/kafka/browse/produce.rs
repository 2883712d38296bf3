//! Sending one record, by hand.

use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use serde::Serialize;

use super::session::ClusterSession;
use super::{BrowseError, KafkaBrowser};
use crate::kafka::client;

const DELIVERY_TIMEOUT: &str = "8000";
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// A record to send.
#[derive(Clone, Debug, Default)]
pub struct NewRecord {
    /// Its key, if it is to have one.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Where to; without, the key decides as it does for other producers, or chance where there is none.
    pub partition: Option<i32>,
}

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset there.
    pub offset: i64,
    /// The timestamp it was given, epoch milliseconds.
    pub timestamp_ms: Option<i64>,
    /// Number of partitions of the topic.
    pub partitions: usize,
}

impl KafkaBrowser {
    /// Whether a record can be sent to `topic`, and to its partition `partition` if one is named: how many partitions it
    /// has. Asked first, since a producer would create a topic that is not there.
    ///
    /// # Errors
    /// When there is no such topic or partition, Kafka does not answer, or refuses.
    pub async fn fetch_writable_partition_count(
        &self,
        topic: &str,
        partition: Option<i32>,
    ) -> Result<usize, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(Some(&[topic])).await?;
        let found = metadata.topics.first();
        let none = || BrowseError::NotFound(format!("there is no topic `{topic}`"));
        let found = found.ok_or_else(none)?;
        if let Some(error) = BrowseError::from_code(found.error_code, &format!("topic `{topic}`")) {
            return Err(error);
        }
        if found.is_internal {
            return Err(BrowseError::InvalidRequest(format!(
                "topic `{topic}` is one of Kafka's own: nobody else may write there"
            )));
        }
        let count = found.partitions.len();
        match partition {
            Some(partition) if !found.partitions.iter().any(|one| one.partition_index == partition) => {
                Err(BrowseError::InvalidRequest(format!(
                    "topic `{topic}` has no partition {partition}: its {count} are numbered from 0"
                )))
            }
            _ => Ok(count),
        }
    }

    /// Sends `record` to `topic`, which has `partitions` partitions, and waits until Kafka has it. Blocks.
    ///
    /// # Errors
    /// When Kafka does not take it.
    pub fn produce_record(
        &self,
        topic: &str,
        partitions: usize,
        record: &NewRecord,
    ) -> Result<WrittenRecord, BrowseError> {
        let failed = |error: KafkaError| match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::PolicyViolation,
            ) => BrowseError::InvalidRequest(format!("topic `{topic}` does not take this record: {error}")),
            Some(RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::AllBrokersDown) => BrowseError::Unreachable(
                format!("Kafka did not take the record in time; whether it still will is not known: {error}"),
            ),
            _ => BrowseError::Refused(format!("Kafka did not take the record: {error}")),
        };
        let producer: BaseProducer<DeliveryOutcome> = client::base_config(&self.brokers)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", DELIVERY_TIMEOUT)
            .create_with_context(DeliveryOutcome::default())
            .map_err(failed)?;
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (name, value) in &record.headers {
            headers = headers.insert(Header { key: name, value: value.as_deref() });
        }
        let mut sent = BaseRecord::<[u8], [u8]>::to(topic).headers(headers);
        if let Some(key) = &record.key {
            sent = sent.key(key);
        }
        if let Some(value) = &record.value {
            sent = sent.payload(value);
        }
        if let Some(partition) = record.partition {
            sent = sent.partition(partition);
        }
        producer.send(sent).map_err(|(error, _)| failed(error))?;
        producer.flush(FLUSH_TIMEOUT).map_err(failed)?;
        match producer.context().outcome.get() {
            Some(Ok((partition, offset, timestamp_ms))) => Ok(WrittenRecord {
                topic: topic.to_owned(),
                partition: *partition,
                offset: *offset,
                timestamp_ms: *timestamp_ms,
                partitions,
            }),
            Some(Err(error)) => Err(failed(error.clone())),
            None => Err(BrowseError::Unreachable("Kafka did not say whether it took the record".to_owned())),
        }
    }
}

/// Partition, offset and timestamp of the record.
type RecordPlace = (i32, i64, Option<i64>);

/// What became of the record.
#[derive(Default)]
struct DeliveryOutcome {
    outcome: OnceLock<Result<RecordPlace, KafkaError>>,
}

impl ClientContext for DeliveryOutcome {}

impl ProducerContext for DeliveryOutcome {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = match result {
            Ok(message) => Ok((
                message.partition(),
                message.offset(),
                match message.timestamp() {
                    Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => Some(ms),
                    Timestamp::NotAvailable => None,
                },
            )),
            Err((error, _)) => Err(error.clone()),
        };
        // One record is sent, so there is one outcome.
        let _ = self.outcome.set(outcome);
    }
}
