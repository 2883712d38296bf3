//! The Kafka cluster that the Kafka UI shows.

/// A Kafka cluster, known by the addresses of its brokers. Every request of the Kafka UI opens new connections, so no
/// request uses a connection that an outage has broken.
#[derive(Clone, Debug)]
pub struct KafkaBrowser {
    broker_addresses: String,
}

impl KafkaBrowser {
    /// Creates a browser of the cluster whose brokers have the addresses `broker_addresses`: `host:port` addresses,
    /// separated by commas.
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
