//! Kafka: events from a topic as a member of a consumer group, dead letters to a topic, and the Kafka UI's requests.
//!
//! Owns: everything that knows librdkafka. Does not own: what records mean.
//! `source/` reads a worker's records, `group/` is its place in the consumer group, `topic/` asks about the topic,
//! `produce/` writes, `browse/` serves the Kafka UI; the other files are shared by them.
//! Why `BaseConsumer` and not the asynchronous ones, and why these client settings: `docs/adr/0006-kafka-client.md`.

mod bounded_close;
pub mod browse;
mod call_timeout;
mod client;
mod client_context;
mod dev_broker;
mod fault;
mod group;
mod halts;
mod produce;
mod source;
mod topic;
mod unreadable_batch;

pub use dev_broker::DevBroker;
pub use group::{GroupMonitor, GroupRefusal};
pub use produce::{EventProducer, KafkaDeadLetters};
pub use source::KafkaSource;
pub use topic::{PartitionGrowth, TopicIdentity, TopicMonitor, wait_for_topic};
