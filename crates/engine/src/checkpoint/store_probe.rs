//! Finds out when a checkpoint store that did not answer answers again.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::config::CheckpointConfig;
use super::epoch_claim;
use super::opening_store::OpeningAbandonment;
use super::store_retry::StoreRetry;
use crate::message_channel::{MessageReceiver, MessageSender};
use crate::{Clock, Partition, StopSignal};

/// The pause after the store has refused a call. An operator may mend it.
const REFUSED_CALL_PAUSE: Duration = Duration::from_secs(5);

/// A thread that calls the store until it answers.
pub(super) struct StoreProbeThread {
    pub(super) partition: Partition,
    pub(super) config: CheckpointConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop_signal: StopSignal,
    pub(super) abandonment: OpeningAbandonment,
    pub(super) answer: MessageSender<()>,
}

impl StoreProbeThread {
    /// Lists the epochs of a partition, which is the first call of an opening, until the store answers. A store that refuses
    /// the call does not answer: then the worker could open no partition either.
    pub(super) fn await_answer(self) {
        let retry = StoreRetry {
            checkpoint_config: &self.config,
            clock: &*self.clock,
            stop_signal: &self.stop_signal,
            abandonment: &self.abandonment,
        };
        let list_epochs = || epoch_claim::read_largest_epoch(&*self.config.checkpoint_store, self.partition);
        while retry.retry_while_unreachable(list_epochs).is_err() {
            if self.stop_signal.is_requested() || self.abandonment.is_abandoned() {
                return;
            }
            self.clock.sleep(REFUSED_CALL_PAUSE);
        }
        // The worker may have ended.
        let _ = self.answer.send(());
    }
}

/// The worker's side of a [`StoreProbeThread`]. Dropping it ends the thread after its current call.
#[derive(Debug)]
pub(crate) struct StoreProbe {
    pub(super) answer: MessageReceiver<()>,
    pub(super) has_answered: Cell<bool>,
    pub(super) abandonment: OpeningAbandonment,
}

impl StoreProbe {
    /// Returns whether the store has answered.
    pub(crate) fn has_answered(&self) -> bool {
        if matches!(self.answer.try_receive(), Ok(Some(()))) {
            self.has_answered.set(true);
        }
        self.has_answered.get()
    }
}

impl Drop for StoreProbe {
    fn drop(&mut self) {
        self.abandonment.abandon();
    }
}
