//! Counts the records of one worker that Kafka has not answered yet. librdkafka reports each answer to a callback, after
//! `send` has returned.
//!
//! Invariant: a worker waits for its own records only, so the records of other workers never prolong its wait.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// The records of one worker on their way to Kafka.
#[derive(Debug, Default)]
pub(super) struct PendingDeliveries {
    state: Mutex<DeliveryState>,
    all_answered: Condvar,
}

#[derive(Debug, Default)]
struct DeliveryState {
    unanswered_record_count: u64,
    /// The first error with which Kafka refused a record of the worker.
    first_error: Option<KafkaError>,
}

impl PendingDeliveries {
    /// Counts one more record that is about to be sent.
    pub(super) fn add_record(&self) {
        self.state.lock().unanswered_record_count += 1;
    }

    /// Uncounts a record that librdkafka did not accept.
    pub(super) fn remove_unsent_record(&self) {
        self.record_answer(None);
    }

    /// Waits up to `timeout` until Kafka has answered all records. Returns whether it has.
    pub(super) fn wait_for_answers(&self, timeout: Duration) -> bool {
        let mut state = self.state.lock();
        let is_unanswered = |state: &mut DeliveryState| state.unanswered_record_count > 0;
        !self.all_answered.wait_while_for(&mut state, is_unanswered, timeout).timed_out()
    }

    /// Returns the first error with which Kafka refused a record, if any.
    pub(super) fn first_error(&self) -> Option<KafkaError> {
        self.state.lock().first_error.clone()
    }

    fn record_answer(&self, error: Option<KafkaError>) {
        let mut state = self.state.lock();
        state.unanswered_record_count -= 1;
        if state.first_error.is_none() {
            state.first_error = error;
        }
        if state.unanswered_record_count == 0 {
            self.all_answered.notify_all();
        }
    }
}

/// Passes each answer of Kafka to the worker that sent the record.
#[derive(Debug, Default)]
pub(super) struct DeliveryAnswerContext;

impl ClientContext for DeliveryAnswerContext {}

impl ProducerContext for DeliveryAnswerContext {
    type DeliveryOpaque = Arc<PendingDeliveries>;

    fn delivery(&self, result: &DeliveryResult<'_>, sender: Arc<PendingDeliveries>) {
        sender.record_answer(result.as_ref().err().map(|(error, _)| error.clone()));
    }
}
