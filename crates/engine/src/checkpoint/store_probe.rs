//! Finds out when a checkpoint store that did not answer answers again.

use super::config::CheckpointConfig;
use super::epoch_claim;
use super::opening_store::OpeningAbandonment;
use super::store_retry::StoreRetry;
use crate::message_channel::{ChannelClosed, MessageReceiver, MessageSender};
use crate::{Clock, Halt, Partition, StopSignal};
use std::sync::Arc;

/// A thread that calls the store until it answers.
pub(super) struct StoreProbeThread {
    pub(super) partition: Partition,
    pub(super) config: CheckpointConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop_signal: StopSignal,
    pub(super) abandonment: OpeningAbandonment,
    pub(super) answer: MessageSender<Result<(), Halt>>,
}

impl StoreProbeThread {
    /// Lists the epochs of a partition, which is the first call of an opening. Sends the outcome.
    pub(super) fn await_answer(self) {
        let retry = StoreRetry {
            checkpoint_config: &self.config,
            clock: &*self.clock,
            stop_signal: &self.stop_signal,
            abandonment: &self.abandonment,
        };
        let listed = retry.retry_while_unreachable(|| {
            epoch_claim::read_largest_epoch(&*self.config.checkpoint_store, self.partition)
        });
        // The worker may have ended.
        let _ = self.answer.send(listed.map(drop));
    }
}

/// The worker's side of a [`StoreProbeThread`]. Dropping it ends the thread after its current call.
#[derive(Debug)]
pub(crate) struct StoreProbe {
    pub(super) answer: MessageReceiver<Result<(), Halt>>,
    pub(super) abandonment: OpeningAbandonment,
}

impl StoreProbe {
    /// Returns whether the store has answered.
    ///
    /// # Errors
    /// When the store refuses the call, or a stop was requested.
    pub(crate) fn has_answered(&self) -> Result<bool, Halt> {
        match self.answer.try_receive() {
            Ok(Some(answer)) => answer.map(|()| true),
            Ok(None) => Ok(false),
            // The thread has sent its answer before.
            Err(ChannelClosed) => Ok(true),
        }
    }
}

impl Drop for StoreProbe {
    fn drop(&mut self) {
        self.abandonment.abandon();
    }
}
