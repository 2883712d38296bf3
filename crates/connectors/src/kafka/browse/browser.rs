//! The handle of the Kafka cluster that the Kafka UI shows.

/// A Kafka cluster. It holds no connection: every request opens its own connections. So nothing must be recovered after
/// Kafka was unreachable.
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
