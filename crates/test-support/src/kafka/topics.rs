//! Helpers that create, change and delete the topics of tests.

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::test_kafka::{KAFKA_TIMEOUT, TestKafka};
use crate::wait::wait_until;

/// The brokers of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionReplicas {
    /// The id of the leader; −1 if no broker leads the partition.
    pub leader: i32,
    /// The ids of the brokers whose replicas are in sync.
    pub in_sync: Vec<i32>,
}

impl TestKafka {
    /// Creates a topic with a unique name and the topic settings `settings`. Returns the name.
    #[must_use]
    pub fn create_unique_topic(&self, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = Self::generate_unique_name("test.events_");
        self.create_named_topic(&name, partitions, settings);
        name
    }

    /// Creates topic `name` with the topic settings `settings`. If `settings` does not contain `retention.ms`, Kafka
    /// keeps all records, even records with a timestamp of 1970. Waits until the broker's metadata contain the topic.
    /// The broker may need a moment for this after it has created the topic.
    pub fn create_named_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        self.create_topic(NewTopic::new(name, partitions, TopicReplication::Fixed(1)), settings);
    }

    /// Creates a topic with a unique name, the topic settings `settings` and one partition on the brokers `replicas`. The
    /// first of them becomes the leader. Returns the name.
    #[must_use]
    pub fn create_replicated_topic(&self, replicas: &[i32], settings: &[(&str, &str)]) -> String {
        let name = Self::generate_unique_name("test.events_");
        self.create_topic(NewTopic::new(&name, 1, TopicReplication::Variable(&[replicas])), settings);
        name
    }

    fn create_topic<'a>(&self, mut topic: NewTopic<'a>, settings: &[(&'a str, &'a str)]) {
        let name = topic.name;
        if settings.iter().all(|(key, _)| *key != "retention.ms") {
            topic = topic.set("retention.ms", "-1");
        }
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let results =
            block_on(self.create_admin_client().create_topics([&topic], &admin_options())).expect("Kafka answers");
        results[0].as_ref().expect("the topic is created");
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        wait_until("the broker knows the new topic", || fetch_partition_count(&consumer, name) > 0);
    }

    /// Returns the brokers of partition `partition` of `topic`; `None` if the broker that answers does not know the
    /// partition yet.
    #[must_use]
    pub fn fetch_partition_replicas(&self, topic: &str, partition: i32) -> Option<PartitionReplicas> {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), KAFKA_TIMEOUT).expect("Kafka answers");
        let mut partitions = metadata.topics().iter().flat_map(|found| found.partitions());
        let found = partitions.find(|found| found.id() == partition)?;
        Some(PartitionReplicas { leader: found.leader(), in_sync: found.isr().to_vec() })
    }

    /// Returns the names of all topics.
    #[must_use]
    pub fn list_topics(&self) -> Vec<String> {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(None, KAFKA_TIMEOUT).expect("Kafka answers");
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// Deletes topic `name`.
    pub fn delete_topic(&self, name: &str) {
        let results =
            block_on(self.create_admin_client().delete_topics(&[name], &admin_options())).expect("Kafka answers");
        results[0].as_ref().expect("the topic is deleted");
    }

    /// Adds partitions to topic `name` until the topic has `partition_count` partitions. Waits until the broker's metadata
    /// contain all of them.
    pub fn increase_partitions_to(&self, name: &str, partition_count: usize) {
        let partitions = NewPartitions::new(name, partition_count);
        let results = block_on(self.create_admin_client().create_partitions([&partitions], &admin_options()))
            .expect("Kafka answers");
        results[0].as_ref().expect("the partitions are added");
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        wait_until("the broker knows the new partitions", || fetch_partition_count(&consumer, name) == partition_count);
    }

    /// Deletes the records before `offset` in partition `partition` of `topic`, as Kafka's retention does.
    pub fn delete_records_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a valid offset");
        block_on(self.create_admin_client().delete_records(&list, &admin_options())).expect("Kafka answers");
    }

    fn create_admin_client(&self) -> AdminClient<DefaultClientContext> {
        self.client_config().create().expect("an admin client")
    }
}

/// Returns the number of partitions of topic `name`, or 0 if the broker does not know the topic.
fn fetch_partition_count(consumer: &BaseConsumer, name: &str) -> usize {
    let metadata = consumer.fetch_metadata(Some(name), KAFKA_TIMEOUT).expect("Kafka answers");
    metadata.topics().iter().find(|topic| topic.error().is_none()).map_or(0, |topic| topic.partitions().len())
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(KAFKA_TIMEOUT))
}
