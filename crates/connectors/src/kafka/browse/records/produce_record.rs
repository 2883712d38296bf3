//! Writes single records for the Kafka UI.

use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use serde::Serialize;

use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::{BrowseError, describe_missing_partition};
use crate::kafka::browse::wire::cluster_connections::ClusterConnections;
use crate::kafka::client_config::base_config;

const DELIVERY_TIMEOUT_MS: &str = "8000";
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// A record to write.
#[derive(Clone, Debug, Default)]
pub struct NewRecord {
    /// The key; `None` if the record has no key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The names and values of the headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The partition to write to. If `None`, the key determines the partition, as in Kafka's own producers. A record
    /// without a key then gets a random partition.
    pub partition: Option<i32>,
}

/// The position and the timestamp of a record that Kafka has stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// The timestamp of the stored record, in epoch milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The number of partitions of the topic.
    #[serde(rename = "partitions")]
    pub topic_partition_count: usize,
}

impl KafkaBrowser {
    /// Checks that records can be written to `topic`, and to `partition` if it is given. Returns the number of
    /// partitions of the topic. Callers must make this check before they write, because a producer that writes to a
    /// missing topic may create the topic.
    ///
    /// # Errors
    /// When the topic or partition does not exist, the topic is internal, or Kafka is unreachable or refuses the
    /// request.
    pub async fn fetch_partition_count_if_writable(
        &self,
        topic: &str,
        partition: Option<i32>,
    ) -> Result<usize, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        let metadata = connections.fetch_metadata(Some(&[topic])).await?;
        let not_found = || BrowseError::NotFound(format!("there is no topic `{topic}`"));
        let found = metadata.topics.first().ok_or_else(not_found)?;
        if let Some(error) = BrowseError::from_error_code(found.error_code, &format!("topic `{topic}`")) {
            return Err(error);
        }
        if found.is_internal {
            return Err(BrowseError::InvalidRequest(format!(
                "topic `{topic}` is internal to Kafka: only Kafka may write to it"
            )));
        }
        let count = found.partitions.len();
        match partition {
            Some(partition) if !found.partitions.iter().any(|one| one.partition_index == partition) => {
                Err(BrowseError::InvalidRequest(describe_missing_partition(topic, partition, count)))
            }
            _ => Ok(count),
        }
    }

    /// Writes `record` to `topic`, and blocks until Kafka has stored the record. `partition_count` is the topic's
    /// number of partitions, which this function copies into the result.
    ///
    /// # Errors
    /// When Kafka does not accept or confirm the record.
    pub fn produce_record(
        &self,
        topic: &str,
        partition_count: usize,
        record: &NewRecord,
    ) -> Result<WrittenRecord, BrowseError> {
        let failed = |error: KafkaError| convert_send_error(topic, &error);
        let producer: BaseProducer<DeliveryOutcome> = base_config(self.broker_addresses())
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", DELIVERY_TIMEOUT_MS)
            .create_with_context(DeliveryOutcome::default())
            .map_err(failed)?;
        producer.send(to_librdkafka_record(topic, record)).map_err(|(error, _)| failed(error))?;
        producer.flush(FLUSH_TIMEOUT).map_err(failed)?;
        match producer.context().result.get() {
            Some(Ok(place)) => Ok(WrittenRecord {
                topic: topic.to_owned(),
                partition: place.partition,
                offset: place.offset,
                timestamp_ms: place.timestamp_ms,
                topic_partition_count: partition_count,
            }),
            Some(Err(error)) => Err(failed(error.clone())),
            None => Err(BrowseError::Unreachable("Kafka did not confirm that it stored the record".to_owned())),
        }
    }
}

fn to_librdkafka_record<'a>(topic: &'a str, record: &'a NewRecord) -> BaseRecord<'a, [u8], [u8]> {
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
    sent
}

fn convert_send_error(topic: &str, error: &KafkaError) -> BrowseError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::PolicyViolation,
        ) => BrowseError::InvalidRequest(format!("Kafka does not accept this record in topic `{topic}`: {error}")),
        Some(RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::AllBrokersDown) => BrowseError::Unreachable(
            format!("Kafka did not confirm the record in time, but may still store it: {error}"),
        ),
        _ => BrowseError::Refused(format!("Kafka did not accept the record: {error}")),
    }
}

/// The position and the timestamp with which Kafka stored the record.
struct StoredRecordPosition {
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
}

/// The delivery result of the one record that the producer sends.
#[derive(Default)]
struct DeliveryOutcome {
    result: OnceLock<Result<StoredRecordPosition, KafkaError>>,
}

impl ClientContext for DeliveryOutcome {}

impl ProducerContext for DeliveryOutcome {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let result = match result {
            Ok(message) => Ok(StoredRecordPosition {
                partition: message.partition(),
                offset: message.offset(),
                timestamp_ms: match message.timestamp() {
                    Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => Some(ms),
                    Timestamp::NotAvailable => None,
                },
            }),
            Err((error, _)) => Err(error.clone()),
        };
        // `set` fails only if an earlier result exists. The producer sends only one record, so no earlier result
        // exists.
        let _ = self.result.set(result);
    }
}
