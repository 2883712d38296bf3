//! Kafka: events from a topic as a member of a consumer group, dead letters to a topic; and looking at any cluster.
//!
//! Owns: everything that knows librdkafka. Does not own: what records mean.
//! Why `BaseConsumer` and not the asynchronous ones, and why these client settings: `docs/adr/0006-kafka-client.md`.

mod admin;
mod assignment;
mod bounds;
pub mod browse;
mod client;
mod dead_letters;
mod deliveries;
mod dev_broker;
mod edges;
mod faults;
mod group_guard;
mod leaving;
mod logs;
mod membership;
mod outage;
mod patience;
mod producer;
mod reader;
mod source;
mod topic_guard;
mod topic_id;
mod unreadable;

pub use admin::{TopicIdentity, wait_for_topic};
pub use dead_letters::KafkaDeadLetters;
pub use dev_broker::DevBroker;
pub use group_guard::GroupMonitor;
pub use producer::EventProducer;
pub use source::KafkaSource;
pub use topic_guard::TopicMonitor;
