//! The state that the handlers of the Kafka UI share.

use std::sync::Arc;

use windrow_connectors::kafka::browse::KafkaBrowser;

use super::limits::KafkaConcurrencyLimits;

/// The client that queries the Kafka cluster, and the limits on concurrent requests.
#[derive(Clone)]
pub(crate) struct KafkaUiContext {
    pub(super) kafka_browser: KafkaBrowser,
    pub(super) limits: Arc<KafkaConcurrencyLimits>,
}

impl KafkaUiContext {
    pub(super) fn new(brokers: &str) -> Self {
        Self { kafka_browser: KafkaBrowser::new(brokers), limits: Arc::new(KafkaConcurrencyLimits::default()) }
    }
}
