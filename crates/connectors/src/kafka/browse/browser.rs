//! The cluster that the Kafka UI shows.

/// A Kafka cluster. It holds no connection: every request opens its own, so there is nothing to recover when Kafka is
/// reachable again.
#[derive(Clone, Debug)]
pub struct KafkaBrowser {
    brokers: String,
}

impl KafkaBrowser {
    /// Creates a browser of the cluster behind `brokers`, `host:port` separated by commas.
    #[must_use]
    pub fn new(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned() }
    }

    /// Returns the addresses that it was created with.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }
}
