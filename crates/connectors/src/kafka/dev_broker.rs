//! A broker inside the process, for the demo and for machines where Apache Kafka cannot be had.
//!
//! It is librdkafka's mock: it speaks the protocol and keeps the newest 5 MB of a partition in memory. Nothing that is
//! claimed about Kafka is tested on it.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use windrow_engine::{Halt, Partition};

/// A running in-process broker; it ends with this value.
pub struct DevBroker(MockCluster<'static, DefaultProducerContext>);

impl DevBroker {
    /// Starts a broker with one topic.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(topic: &str, partitions: Partition) -> Result<Self, Halt> {
        let failed = |error| Halt::Refused(format!("cannot start the in-process broker: {error}"));
        let cluster = MockCluster::new(1).map_err(failed)?;
        cluster.create_topic(topic, partitions, 1).map_err(failed)?;
        Ok(Self(cluster))
    }

    /// Where clients reach it.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }
}
