//! A consumer that closes in bounded time.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use tracing::warn;

use super::call_timeout::run_with_timeout;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// A consumer that leaves its group when dropped. If Kafka does not answer within [`CLOSE_TIMEOUT`], the drop returns
/// anyway. The group then removes the member after the session timeout.
pub(super) struct BoundedCloseConsumer<C: ConsumerContext + 'static> {
    /// `None` only during the drop.
    consumer: Option<Arc<BaseConsumer<C>>>,
    before_close: fn(&BaseConsumer<C>),
}

impl<C: ConsumerContext + 'static> BoundedCloseConsumer<C> {
    pub(super) fn new(consumer: BaseConsumer<C>) -> Self {
        Self::with_step_before_close(consumer, |_| {})
    }

    /// Calls `before_close` when the value is dropped, before the consumer closes. Both share [`CLOSE_TIMEOUT`].
    pub(super) fn with_step_before_close(consumer: BaseConsumer<C>, before_close: fn(&BaseConsumer<C>)) -> Self {
        Self { consumer: Some(Arc::new(consumer)), before_close }
    }

    /// Returns a shared handle to the consumer. Another thread can use the handle even after `self` is dropped.
    pub(super) fn clone_consumer_handle(&self) -> Arc<BaseConsumer<C>> {
        Arc::clone(self.consumer())
    }

    fn consumer(&self) -> &Arc<BaseConsumer<C>> {
        match &self.consumer {
            Some(consumer) => consumer,
            None => unreachable!("the consumer is there until it is dropped"),
        }
    }
}

impl<C: ConsumerContext + 'static> Deref for BoundedCloseConsumer<C> {
    type Target = BaseConsumer<C>;

    fn deref(&self) -> &Self::Target {
        self.consumer()
    }
}

impl<C: ConsumerContext + 'static> Drop for BoundedCloseConsumer<C> {
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        let before_close = self.before_close;
        let close = move || {
            before_close(&consumer);
            drop(consumer);
        };
        if run_with_timeout(CLOSE_TIMEOUT, close).is_none() {
            warn!("Kafka did not answer; a consumer was closed without leaving its group");
        }
    }
}
