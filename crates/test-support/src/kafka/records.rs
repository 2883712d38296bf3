//! Helpers that send and read the records of tests.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::test_kafka::{KAFKA_TIMEOUT, TestKafka};

/// A record to send.
#[derive(Clone, Default, Debug)]
pub struct OutgoingRecord {
    /// The partition to write to; `None` if the producer's partitioner chooses the partition.
    pub partition: Option<i32>,
    /// The key; `None` for a record without a key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` for a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The timestamp in epoch milliseconds. With `None`, the producer uses the time at which it sends the record.
    pub timestamp_ms: Option<i64>,
    /// The names and values of the headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OutgoingRecord {
    /// Creates a record with a timestamp and a payload, but without a key. The record is sent to `partition`.
    #[must_use]
    pub fn new_in_partition(partition: i32, timestamp_ms: i64, payload: &str) -> Self {
        let payload = Some(payload.as_bytes().to_vec());
        Self { partition: Some(partition), timestamp_ms: Some(timestamp_ms), payload, ..Self::default() }
    }

    /// Returns the record with `key`.
    #[must_use]
    pub fn with_key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Returns the record with one more header, which has the name `name` and the value `value`.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.map(<[u8]>::to_vec)));
        self
    }

    fn to_librdkafka_record<'a>(&'a self, topic: &'a str) -> BaseRecord<'a, [u8], [u8]> {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic);
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        if let Some(key) = &self.key {
            record = record.key(key);
        }
        if let Some(payload) = &self.payload {
            record = record.payload(payload);
        }
        if let Some(timestamp_ms) = self.timestamp_ms {
            record = record.timestamp(timestamp_ms);
        }
        if !self.headers.is_empty() {
            let mut headers = OwnedHeaders::new_with_capacity(self.headers.len());
            for (key, value) in &self.headers {
                headers = headers.insert(Header { key, value: value.as_deref() });
            }
            record = record.headers(headers);
        }
        record
    }
}

/// A record that a consumer has read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumedRecord {
    /// The key; `None` for a record without a key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` for a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The values of the headers, by name.
    pub headers: BTreeMap<String, Option<Vec<u8>>>,
}

impl ConsumedRecord {
    fn from_message(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Self {
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }

    /// Returns the names of the headers with their values as text. A header without a value has an empty text.
    #[must_use]
    pub fn headers_as_text(&self) -> BTreeMap<String, String> {
        let text = |value: &Option<Vec<u8>>| String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned();
        self.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }
}

/// A producer for tests that send records repeatedly.
pub struct TestProducer(BaseProducer);

impl TestProducer {
    /// Adds `records` for `topic` to librdkafka's send queue, and waits while the queue is full.
    pub fn enqueue_records(&self, topic: &str, records: &[OutgoingRecord]) {
        for outgoing in records {
            let mut record = outgoing.to_librdkafka_record(topic);
            while let Err((error, returned)) = self.0.send(record) {
                assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)), "{error}");
                self.0.poll(Duration::from_millis(10));
                record = returned;
            }
        }
        self.0.poll(Duration::ZERO);
    }

    /// Waits until Kafka has stored all queued records.
    pub fn flush(&self) {
        self.0.flush(KAFKA_TIMEOUT).expect("Kafka stores all records");
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionOutcome {
    /// Kafka commits the transaction: all consumers can read the transaction's records.
    Commit,
    /// Kafka aborts the transaction: consumers with `isolation.level=read_committed` never receive the transaction's
    /// records.
    Abort,
}

/// The records of one transaction, and the outcome of the transaction: commit or abort.
pub struct TestTransaction {
    /// The records to send within the transaction.
    pub records: Vec<OutgoingRecord>,
    /// Whether the transaction is committed or aborted.
    pub transaction_outcome: TransactionOutcome,
}

/// A transaction whose records are sent. Consumers with `isolation.level=read_committed` do not receive them yet.
pub struct UncommittedTransaction(TestProducer);

impl UncommittedTransaction {
    /// Commits the transaction.
    pub fn commit(self) {
        self.0.0.commit_transaction(KAFKA_TIMEOUT).expect("committed");
    }
}

impl TestKafka {
    /// Sends `records` to `topic`, and waits until Kafka has stored the records.
    pub fn produce(&self, topic: &str, records: &[OutgoingRecord]) {
        self.produce_with_settings(topic, records, &[]);
    }

    /// Sends `records` to `topic` with a producer that has the producer settings `settings`. Waits until Kafka has
    /// stored the records.
    pub fn produce_with_settings(&self, topic: &str, records: &[OutgoingRecord], settings: &[(&str, &str)]) {
        let producer = self.create_producer(settings);
        producer.enqueue_records(topic, records);
        producer.flush();
    }

    /// Creates a producer that maps keys to partitions as Kafka's Java client does. `settings` override this function's
    /// default settings.
    #[must_use]
    pub fn create_producer(&self, settings: &[(&str, &str)]) -> TestProducer {
        let defaults = [("enable.idempotence", "true"), ("partitioner", "murmur2_random")];
        TestProducer(self.client_config_with_settings(&[&defaults, settings].concat()).create().expect("a producer"))
    }

    /// Sends `transactions` to `topic` one after another, and commits or aborts each transaction.
    pub fn produce_transactions(&self, topic: &str, transactions: &[TestTransaction]) {
        let id = Self::generate_unique_name("transactions");
        let producer: BaseProducer =
            self.client_config_with_settings(&[("transactional.id", &id)]).create().expect("a producer");
        producer.init_transactions(KAFKA_TIMEOUT).expect("a transactional producer");
        let producer = TestProducer(producer);
        for transaction in transactions {
            producer.0.begin_transaction().expect("begun");
            producer.enqueue_records(topic, &transaction.records);
            producer.flush();
            match transaction.transaction_outcome {
                TransactionOutcome::Commit => producer.0.commit_transaction(KAFKA_TIMEOUT).expect("committed"),
                TransactionOutcome::Abort => producer.0.abort_transaction(KAFKA_TIMEOUT).expect("aborted"),
            }
        }
    }

    /// Sends `records` to `topic` in a transaction that stays open.
    #[must_use]
    pub fn open_transaction(&self, topic: &str, records: &[OutgoingRecord]) -> UncommittedTransaction {
        let id = Self::generate_unique_name("transactions");
        let producer: BaseProducer =
            self.client_config_with_settings(&[("transactional.id", &id)]).create().expect("a producer");
        producer.init_transactions(KAFKA_TIMEOUT).expect("a transactional producer");
        producer.begin_transaction().expect("begun");
        let producer = TestProducer(producer);
        producer.enqueue_records(topic, records);
        producer.flush();
        UncommittedTransaction(producer)
    }

    /// Returns all records of partition `partition` of `topic`, in the order of their offsets.
    #[must_use]
    pub fn read_partition(&self, topic: &str, partition: i32) -> Vec<ConsumedRecord> {
        let consumer = self.create_assigned_consumer(topic, partition, Offset::Beginning);
        let mut records = Vec::new();
        loop {
            match consumer.poll(KAFKA_TIMEOUT).expect("Kafka answers") {
                Ok(message) => records.push(ConsumedRecord::from_message(&message)),
                Err(KafkaError::PartitionEOF(_)) => return records,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Returns the record at `offset` of partition `partition` of `topic`.
    #[must_use]
    pub fn read_record(&self, topic: &str, partition: i32, offset: i64) -> ConsumedRecord {
        let consumer = self.create_assigned_consumer(topic, partition, Offset::Offset(offset));
        let message = consumer.poll(KAFKA_TIMEOUT).expect("in time").expect("a record");
        assert_eq!(message.offset(), offset);
        ConsumedRecord::from_message(&message)
    }

    fn create_assigned_consumer(&self, topic: &str, partition: i32, offset: Offset) -> BaseConsumer {
        let settings = [
            ("group.id", "reader"),
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            ("fetch.wait.max.ms", "10"),
        ];
        let consumer: BaseConsumer = self.client_config_with_settings(&settings).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, offset).expect("a valid offset");
        consumer.assign(&list).expect("assigned");
        consumer
    }
}
