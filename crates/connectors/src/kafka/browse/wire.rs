//! Sends requests to brokers in Kafka's protocol, without librdkafka.

pub(super) mod connection;
pub(super) mod session;
