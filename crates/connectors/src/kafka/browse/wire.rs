//! Sends requests to brokers in Kafka's protocol, without librdkafka.

mod announced_lengths;
pub(super) mod answer_decoder;
pub(super) mod cluster_connections;
pub(super) mod connection;
