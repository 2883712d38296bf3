//! The state that the handlers of the Kafka UI share.

use std::sync::Arc;

use windrow_connectors::kafka::browse::{BrowseError, KafkaBrowser};

use super::limits::KafkaLimits;
use crate::answers::HttpFault;

/// The Kafka client and the limits that the handlers share.
#[derive(Clone)]
pub(super) struct KafkaUi {
    pub(super) browser: KafkaBrowser,
    pub(super) limits: Arc<KafkaLimits>,
}

impl KafkaUi {
    pub(super) fn new(brokers: &str) -> Self {
        Self { browser: KafkaBrowser::new(brokers), limits: Arc::new(KafkaLimits::default()) }
    }

    /// Waits for the request's turn, and then asks the brokers.
    pub(super) async fn ask_brokers<T>(
        &self,
        question: impl Future<Output = Result<T, BrowseError>>,
    ) -> Result<T, HttpFault> {
        self.limits.run_broker_question(question).await
    }
}
