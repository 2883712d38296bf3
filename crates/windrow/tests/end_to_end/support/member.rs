//! Settings for a `KafkaSource` outside of a job, for tests that decide when an announcement is answered.

use std::sync::Arc;

use windrow_connectors::kafka::{
    MissingTopicPolicy, PartitionGrowthPolicy, TopicIdentity, TopicMonitor, wait_for_topic,
};
use windrow_engine::StopSignal;
use windrow_spec::KafkaSourceSpec as Settings;

use super::kafka::TestKafka;

/// Returns the settings of the shipped pipeline with this topic and a unique group.
pub(crate) fn member_settings(kafka: &TestKafka, topic: &str) -> Settings {
    let pipeline = windrow_spec::parse("p", windrow_spec::SHIPPED_PIPELINE, &[]).expect("the shipped pipeline");
    let mut settings = pipeline.source.kafka().clone();
    settings.brokers.clone_from(&kafka.brokers);
    topic.clone_into(&mut settings.topic);
    settings.consumer_group = TestKafka::generate_unique_name("group");
    settings
}

pub(crate) fn await_test_topic(kafka: &TestKafka, topic: &str) -> TopicIdentity {
    wait_for_topic(&kafka.brokers, topic, MissingTopicPolicy::Refuse, None, &StopSignal::default())
        .expect("Kafka answers")
        .expect("no stop")
}

pub(crate) fn create_topic_guard(kafka: &TestKafka, name: &str) -> Arc<TopicMonitor> {
    Arc::new(
        TopicMonitor::new(&await_test_topic(kafka, name), &kafka.brokers, PartitionGrowthPolicy::Refuse)
            .expect("a guard"),
    )
}
