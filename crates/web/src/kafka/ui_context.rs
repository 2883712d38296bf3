//! The state that the handlers of the Kafka UI share.

use std::sync::Arc;

use windrow_connectors::kafka::browse::{BrowseError, KafkaBrowser};

use super::limits::KafkaConcurrencyLimits;
use crate::answers::HttpFault;

/// What the handlers of the Kafka UI share: the client that queries the cluster, and the limits of concurrent requests.
#[derive(Clone)]
pub(super) struct KafkaUiContext {
    pub(super) kafka_browser: KafkaBrowser,
    pub(super) limits: Arc<KafkaConcurrencyLimits>,
}

impl KafkaUiContext {
    pub(super) fn new(brokers: &str) -> Self {
        Self { kafka_browser: KafkaBrowser::new(brokers), limits: Arc::new(KafkaConcurrencyLimits::default()) }
    }

    /// Waits for a permit, and then waits for the brokers' answer to `request`.
    pub(super) async fn ask_brokers<T>(
        &self,
        request: impl Future<Output = Result<T, BrowseError>>,
    ) -> Result<T, HttpFault> {
        self.limits.run_broker_request(request).await
    }
}
