//! Topics, records and offsets of the Kafka to test on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the address of Kafka. Without one it prints that the test is skipped.
pub(crate) fn brokers(test: &str) -> Option<String> {
    let brokers = std::env::var("WINDROW_TEST_KAFKA").ok();
    if brokers.is_none() {
        println!("skipped: {test} needs Apache Kafka (WINDROW_TEST_KAFKA=host:port)");
    }
    brokers
}

/// Returns from the test when there is no Kafka.
macro_rules! kafka_or_skip {
    () => {{
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        match $crate::support::kafka::brokers(&test) {
            Some(brokers) => $crate::support::kafka::Kafka::at(brokers),
            None => return,
        }
    }};
}
pub(crate) use kafka_or_skip;

/// A record to send.
#[derive(Clone, Default, Debug)]
pub(crate) struct OutgoingRecord {
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
}

/// A record that was read.
#[derive(Clone, Debug)]
pub(crate) struct ConsumedRecord {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: BTreeMap<String, String>,
}

pub(crate) struct Kafka {
    pub(crate) brokers: String,
}

impl Kafka {
    pub(crate) fn at(brokers: String) -> Self {
        Self { brokers }
    }

    /// Returns a name that no other test or earlier run uses.
    pub(crate) fn unique_name(prefix: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_micros();
        format!("{prefix}-{run}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    pub(crate) fn create_topic(&self, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = Self::unique_name("events");
        self.create_named_topic(&name, partitions, settings);
        name
    }

    /// Creates a topic with this name.
    pub(crate) fn create_named_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let made = block_on(self.admin().create_topics([&topic], &admin_options())).expect("Kafka answers");
        made[0].as_ref().expect("the topic is created");
    }

    pub(crate) fn delete_topic(&self, name: &str) {
        let gone = block_on(self.admin().delete_topics(&[name], &admin_options())).expect("Kafka answers");
        gone[0].as_ref().expect("the topic is deleted");
    }

    pub(crate) fn add_partitions(&self, name: &str, partitions: usize) {
        let more = NewPartitions::new(name, partitions);
        let made = block_on(self.admin().create_partitions([&more], &admin_options())).expect("Kafka answers");
        made[0].as_ref().expect("the partitions are added");
    }

    /// Deletes the records before `offset`, as retention does.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a valid offset");
        block_on(self.admin().delete_records(&list, &admin_options())).expect("Kafka answers");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("an admin client")
    }

    pub(crate) fn produce(&self, topic: &str, records: &[OutgoingRecord]) {
        self.produce_with_settings(topic, records, &[]);
    }

    pub(crate) fn produce_with_settings(&self, topic: &str, records: &[OutgoingRecord], settings: &[(&str, &str)]) {
        let producer = self.create_producer(settings);
        producer.send(topic, records);
        producer.flush();
    }

    /// Creates a producer for repeated use.
    pub(crate) fn create_producer(&self, settings: &[(&str, &str)]) -> TestProducer {
        let mut config = self.config();
        config.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        TestProducer(config.create().expect("a producer"))
    }

    /// Reads all records of one partition, in order.
    pub(crate) fn read_partition(&self, topic: &str, partition: i32) -> Vec<ConsumedRecord> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
        consumer.assign(&list).expect("assigned");
        let mut records = Vec::new();
        loop {
            match consumer.poll(TIMEOUT).expect("Kafka answers") {
                Ok(message) => records.push(ConsumedRecord {
                    key: message.key().map(<[u8]>::to_vec),
                    payload: message.payload().map(<[u8]>::to_vec),
                    headers: message
                        .headers()
                        .map(|headers| {
                            headers
                                .iter()
                                .map(|header| {
                                    let value = header.value.unwrap_or_default();
                                    (header.key.to_owned(), String::from_utf8_lossy(value).into_owned())
                                })
                                .collect()
                        })
                        .unwrap_or_default(),
                }),
                Err(KafkaError::PartitionEOF(_)) => return records,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Joins `group`, takes partitions from its members, and leaves again without processing or committing anything.
    pub(crate) fn visit_group(&self, group: &str, topic: &str) {
        let visitor = self.join_idle_member(group, topic);
        super::wait_until(40, "the visitor is given a partition", || visitor.poll_partition_count() > 0);
    }

    /// Joins `group` as [`Self::visit_group`] does, and stays until it is dropped.
    pub(crate) fn join_idle_member(&self, group: &str, topic: &str) -> IdleMember {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create()
            .expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        IdleMember(consumer)
    }

    /// Returns whether a classic group is stable with this number of members.
    pub(crate) fn is_group_stable(&self, group: &str, members: usize) -> bool {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let groups = consumer.fetch_group_list(Some(group), TIMEOUT).expect("Kafka answers");
        groups.groups().iter().any(|group| group.state() == "Stable" && group.members().len() == members)
    }

    /// Returns a group's committed offsets by partition, −1 for none.
    pub(crate) fn committed_offsets(&self, group: &str, topic: &str, partitions: i32) -> Vec<i64> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition);
        }
        let committed = consumer.committed_offsets(list, TIMEOUT).expect("Kafka answers");
        committed.elements().iter().map(|element| element.offset().to_raw().unwrap_or(-1).max(-1)).collect()
    }
}

/// A member of a group that processes nothing.
pub(crate) struct IdleMember(BaseConsumer);

impl IdleMember {
    /// Polls once, which keeps it in the group, and returns the number of its partitions.
    pub(crate) fn poll_partition_count(&self) -> usize {
        // Records and errors do not matter.
        let _ = self.0.poll(Duration::from_millis(100));
        self.0.assignment().map_or(0, |assigned| assigned.count())
    }
}

/// A producer of test records.
pub(crate) struct TestProducer(BaseProducer);

impl TestProducer {
    /// Queues `records` for sending.
    pub(crate) fn send(&self, topic: &str, records: &[OutgoingRecord]) {
        for sent in records {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            if let Some(partition) = sent.partition {
                record = record.partition(partition);
            }
            if let Some(key) = &sent.key {
                record = record.key(key);
            }
            if let Some(payload) = &sent.payload {
                record = record.payload(payload);
            }
            while let Err((error, back)) = self.0.send(record) {
                assert!(
                    matches!(error, KafkaError::MessageProduction(rdkafka::error::RDKafkaErrorCode::QueueFull)),
                    "{error}"
                );
                self.0.poll(Duration::from_millis(10));
                record = back;
            }
        }
        self.0.poll(Duration::ZERO);
    }

    /// Waits until Kafka has acknowledged everything.
    pub(crate) fn flush(&self) {
        self.0.flush(TIMEOUT).expect("everything is taken by Kafka");
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT))
}

/// Returns one record per event line, with the user as key.
pub(crate) fn key_events_by_user(lines: &[String], partition: Option<i32>) -> Vec<OutgoingRecord> {
    lines
        .iter()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("an event");
            let key = match &event["user_id"] {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            OutgoingRecord { partition, key: Some(key.into_bytes()), payload: Some(line.clone().into_bytes()) }
        })
        .collect()
}
