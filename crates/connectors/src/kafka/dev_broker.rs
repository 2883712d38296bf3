//! A Kafka broker inside the process, for the demo and for machines without Apache Kafka.
//!
//! The broker is librdkafka's mock cluster. The mock cluster speaks Kafka's protocol, and keeps the newest 5 MB of each
//! partition in memory. Tests of Windrow's behaviour on Kafka use a real broker instead.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use windrow_engine::halt::SourceOperation;
use windrow_engine::{Halt, Partition};

use super::halts::build_refused_operation_halt;

/// A Kafka broker that runs inside this process. The broker stops when this value is dropped.
pub struct DevBroker(MockCluster<'static, DefaultProducerContext>);

impl DevBroker {
    /// Starts a broker with one topic.
    ///
    /// # Errors
    /// When librdkafka cannot start the broker or create the topic.
    pub fn start(topic: &str, partitions: Partition) -> Result<Self, Halt> {
        let failed =
            |error: KafkaError| build_refused_operation_halt("this process", SourceOperation::StartBroker, error);
        let cluster = MockCluster::new(1).map_err(failed)?;
        cluster.create_topic(topic, partitions, 1).map_err(failed)?;
        Ok(Self(cluster))
    }

    /// Returns the address at which clients reach the broker.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.0.bootstrap_servers()
    }
}
