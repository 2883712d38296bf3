//! The Kafka connector: reads events from a topic, writes dead letters to a topic, and serves the Kafka UI.
//!
//! Owns: all code that talks to Kafka. Does not own: the meaning of records.
//! `source/` reads the records of a worker. `group/` is the worker's membership in the consumer group. `topic/` looks
//! up and monitors the topic. `produce/` writes records. `browse/` serves the Kafka UI. These modules share the
//! remaining files. `docs/adr/0006-kafka-client.md` explains why the clients use rdkafka's type `BaseConsumer`, and
//! gives the reasons for their settings.

mod bounded_close;
pub mod browse;
mod call_timeout;
mod client_config;
mod client_context;
mod dev_broker;
mod fault;
mod group;
mod halts;
#[cfg(test)]
mod mock_group;
mod produce;
mod source;
mod topic;
mod unreadable_batch;

pub use dev_broker::DevBroker;
pub use group::{GroupRefusalReason, UnassignedPartitionMonitor};
pub use produce::{EventProducer, KafkaDeadLetters};
pub use source::KafkaSource;
pub use topic::{MissingTopicPolicy, PartitionGrowthPolicy, TopicIdentity, TopicMonitor, wait_for_topic};
