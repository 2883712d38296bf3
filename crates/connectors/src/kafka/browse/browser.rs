//! The handle of the Kafka cluster that the Kafka UI shows.

/// The address of a Kafka cluster, for requests of the Kafka UI. Every request opens its own connections, so no
/// connection has to recover after an outage of Kafka.
#[derive(Clone, Debug)]
pub struct KafkaBrowser {
    broker_addresses: String,
}

impl KafkaBrowser {
    /// Creates a browser of the cluster at `broker_addresses`: `host:port` addresses, separated by commas.
    #[must_use]
    pub fn new(broker_addresses: &str) -> Self {
        Self { broker_addresses: broker_addresses.to_owned() }
    }

    /// Returns the addresses of the brokers, as passed to `new`.
    #[must_use]
    pub fn broker_addresses(&self) -> &str {
        &self.broker_addresses
    }
}
