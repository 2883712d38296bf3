//! A source of its own, for tests that decide when an announcement of the group is answered.

use std::sync::Arc;

use windrow_connectors::kafka::{Topic, TopicGuard, await_topic};
use windrow_engine::Stop;
use windrow_spec::KafkaSource as Settings;

use super::kafka::Kafka;

/// The shipped pipeline's settings, with another topic and a group of its own.
pub(crate) fn settings(kafka: &Kafka, topic: &str) -> Settings {
    let mut settings = windrow_spec::parse("p", windrow_spec::ECOMMERCE, &[]).expect("the shipped pipeline").source;
    settings.brokers.clone_from(&kafka.brokers);
    topic.clone_into(&mut settings.topic);
    settings.group = Kafka::unique("group");
    settings
}

pub(crate) fn topic(kafka: &Kafka, topic: &str) -> Topic {
    await_topic(&kafka.brokers, topic, None, &Stop::default()).expect("Kafka answers").expect("no stop")
}

pub(crate) fn guard(kafka: &Kafka, name: &str) -> Arc<TopicGuard> {
    Arc::new(TopicGuard::new(&topic(kafka, name), &kafka.brokers, false).expect("a guard"))
}
