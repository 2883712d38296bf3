//! A consumer that closes in bounded time.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use tracing::warn;

use super::call_timeout::run_with_timeout;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// A consumer that closes when this value is dropped. If the consumer is a member of a group, it also leaves the group,
/// unless it has a static member name. If the step before the close and the close together take longer than the timeout
/// of the step and [`CLOSE_TIMEOUT`], the drop returns anyway. The broker then removes the member from the group after
/// the session timeout.
pub(super) struct BoundedCloseConsumer<C: ConsumerContext + 'static> {
    /// `None` only during the drop.
    consumer: Option<Arc<BaseConsumer<C>>>,
    step_before_close: Option<StepBeforeClose<C>>,
}

/// What a consumer does when it is dropped, before it closes.
pub(super) struct StepBeforeClose<C: ConsumerContext + 'static> {
    pub(super) run: fn(&BaseConsumer<C>),
    /// How long the step may take. The time for closing is added.
    pub(super) timeout: Duration,
}

impl<C: ConsumerContext + 'static> BoundedCloseConsumer<C> {
    pub(super) fn new(consumer: BaseConsumer<C>, step_before_close: Option<StepBeforeClose<C>>) -> Self {
        Self { consumer: Some(Arc::new(consumer)), step_before_close }
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
        let step = self.step_before_close.take();
        let timeout = CLOSE_TIMEOUT + step.as_ref().map_or(Duration::ZERO, |step| step.timeout);
        let close = move || {
            if let Some(step) = step {
                (step.run)(&consumer);
            }
            drop(consumer);
        };
        if run_with_timeout(timeout, close).is_none() {
            warn!("Kafka did not answer; a consumer was closed without leaving its group");
        }
    }
}
