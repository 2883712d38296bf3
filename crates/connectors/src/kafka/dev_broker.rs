//! A broker inside the process, for the demo and for machines without Apache Kafka.
//!
//! It is librdkafka's mock: it speaks the protocol and keeps the newest 5 MB of a partition in memory. No test of
//! behaviour on Kafka uses it.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use windrow_engine::halt::SourceOperation;
use windrow_engine::{Halt, Partition};

use super::halts::refuse_operation;

/// A running in-process broker; dropping it stops the broker.
pub struct DevBroker(MockCluster<'static, DefaultProducerContext>);

impl DevBroker {
    /// Starts a broker with one topic.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(topic: &str, partitions: Partition) -> Result<Self, Halt> {
        let failed = |error: KafkaError| refuse_operation("this process", SourceOperation::StartBroker, error);
        let cluster = MockCluster::new(1).map_err(failed)?;
        cluster.create_topic(topic, partitions, 1).map_err(failed)?;
        Ok(Self(cluster))
    }

    /// Returns its address for clients.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }
}
