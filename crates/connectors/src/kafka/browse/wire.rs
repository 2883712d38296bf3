//! Sends requests to brokers in Kafka's protocol, without librdkafka.

pub(super) mod cluster_connections;
pub(super) mod connection;
