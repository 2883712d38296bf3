//! Requests to brokers without librdkafka, in Kafka's own protocol.

pub(super) mod connection;
pub(super) mod session;
