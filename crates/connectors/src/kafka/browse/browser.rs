//! The handle of the Kafka cluster that the Kafka UI shows.

/// The address of a Kafka cluster, for requests of the Kafka UI. Every request opens its own connections, so no
/// connection has to recover after an outage of Kafka.
#[derive(Clone, Debug)]
pub struct KafkaBrowser {
    brokers: String,
}

impl KafkaBrowser {
    /// Creates a browser of the cluster at `brokers`: `host:port` addresses, separated by commas.
    #[must_use]
    pub fn new(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned() }
    }

    /// Returns the addresses of the brokers, as passed to `new`.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }
}
