//! The real Kafka: topics, records, groups.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(20);

/// The Kafka to test on; a test that gets `None` says so and returns.
pub(crate) fn brokers(test: &str) -> Option<String> {
    let brokers = std::env::var("WINDROW_TEST_KAFKA").ok();
    if brokers.is_none() {
        println!("skipped: {test} needs Apache Kafka (WINDROW_TEST_KAFKA=host:port)");
    }
    brokers
}

/// Leaves the test where there is no Kafka.
macro_rules! kafka_or_skip {
    () => {{
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        match $crate::support::kafka::brokers(&test) {
            Some(brokers) => $crate::support::kafka::Kafka { brokers },
            None => return,
        }
    }};
}
pub(crate) use kafka_or_skip;

/// A record as it is sent.
#[derive(Clone, Default)]
pub(crate) struct OutgoingRecord<'a> {
    pub(crate) partition: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl<'a> OutgoingRecord<'a> {
    pub(crate) fn at(partition: i32, timestamp_ms: i64, value: &'a str) -> Self {
        Self { partition, timestamp_ms: Some(timestamp_ms), value: Some(value.as_bytes()), ..Self::default() }
    }
}

pub(crate) struct Kafka {
    pub(crate) brokers: String,
}

impl Kafka {
    /// A name that no other test, and no earlier run, uses.
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
        let name = Self::unique_name("looked.at_");
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        // Records of 1970 are old, and Kafka looks for old ones when it likes.
        if settings.iter().all(|(key, _)| *key != "retention.ms") {
            topic = topic.set("retention.ms", "-1");
        }
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let made = block_on(self.admin().create_topics([&topic], &admin_options())).expect("Kafka answers");
        made[0].as_ref().expect("the topic is created");
        name
    }

    pub(crate) fn delete_topic(&self, name: &str) {
        let gone = block_on(self.admin().delete_topics(&[name], &admin_options())).expect("Kafka answers");
        gone[0].as_ref().expect("the topic is deleted");
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

    pub(crate) fn produce(&self, topic: &str, records: &[OutgoingRecord<'_>]) {
        self.produce_with_settings(topic, records, &[]);
    }

    pub(crate) fn produce_with_settings(&self, topic: &str, records: &[OutgoingRecord<'_>], settings: &[(&str, &str)]) {
        let mut config = self.config();
        config.set("enable.idempotence", "true");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let producer: BaseProducer = config.create().expect("a producer");
        send_records(&producer, topic, records);
        producer.flush(TIMEOUT).expect("everything is taken by Kafka");
    }

    /// Each list is a transaction of its own; `true`: it is committed, `false`: it is given up.
    pub(crate) fn produce_transactions(&self, topic: &str, transactions: &[(&[OutgoingRecord<'_>], bool)]) {
        let producer: BaseProducer =
            self.config().set("transactional.id", Self::unique_name("transactions")).create().expect("a producer");
        producer.init_transactions(TIMEOUT).expect("a transactional producer");
        for (records, commit) in transactions {
            producer.begin_transaction().expect("begun");
            send_records(&producer, topic, records);
            producer.flush(TIMEOUT).expect("taken by Kafka");
            if *commit {
                producer.commit_transaction(TIMEOUT).expect("committed");
            } else {
                producer.abort_transaction(TIMEOUT).expect("given up");
            }
        }
    }

    /// Commits offsets for `group`, as a consumer that was there once.
    pub(crate) fn commit_offsets(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("a valid offset");
        }
        consumer.commit(&list, CommitMode::Sync).expect("committed");
    }

    /// A member of `group` that has been given partitions of `topic`; it stays until it is dropped.
    pub(crate) fn join_member(&self, group: &str, topic: &str, settings: &[(&str, &str)]) -> BaseConsumer {
        let mut config = self.config();
        config.set("group.id", group).set("client.id", "a <b>member</b>").set("enable.auto.commit", "false");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while consumer.assignment().map_or(0, |assigned| assigned.count()) == 0 {
            assert!(std::time::Instant::now() < until, "partitions are assigned");
            let _ = consumer.poll(Duration::from_millis(100));
        }
        consumer
    }

    /// Everything in one partition: by offset the key, the value and the headers.
    pub(crate) fn read_record(&self, topic: &str, partition: i32, offset: i64) -> ConsumedRecord {
        use rdkafka::message::{Headers, Message};
        let consumer: BaseConsumer =
            self.config().set("group.id", "reader").set("enable.auto.commit", "false").create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a valid offset");
        consumer.assign(&list).expect("assigned");
        let message = consumer.poll(TIMEOUT).expect("in time").expect("a record");
        assert_eq!(message.offset(), offset);
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        ConsumedRecord {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }
}

/// A record as another client reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConsumedRecord {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: HashMap<String, Option<Vec<u8>>>,
}

fn send_records(producer: &BaseProducer, topic: &str, records: &[OutgoingRecord<'_>]) {
    for sent in records {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(sent.partition);
        if let Some(key) = sent.key {
            record = record.key(key);
        }
        if let Some(value) = sent.value {
            record = record.payload(value);
        }
        if let Some(timestamp_ms) = sent.timestamp_ms {
            record = record.timestamp(timestamp_ms);
        }
        if !sent.headers.is_empty() {
            let headers = sent
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: *value }));
            record = record.headers(headers);
        }
        producer.send(record).map_err(|(error, _)| error).expect("there is room");
        producer.poll(Duration::ZERO);
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT))
}
