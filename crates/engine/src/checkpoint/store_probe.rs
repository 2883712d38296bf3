//! Finds out when a checkpoint store that did not answer answers again.

use std::cell::Cell;
use std::sync::Arc;

use tracing::debug;

use super::config::CheckpointConfig;
use super::object_names::{self, STORE_PROBE_OBJECT};
use super::store::{CheckpointStore, StoreFault};
use super::store_retry::StoreRetry;
use crate::fault_class::FaultClass;
use crate::message_channel::{MessageReceiver, MessageSender};
use crate::{Clock, Halt, OpeningAbandonment, Partition, StopSignal};

/// A thread that calls the store until it answers.
pub(super) struct StoreProbeThread {
    pub(super) partition: Partition,
    /// The settings of checkpoints, with a store that begins no further call after the probe is abandoned.
    pub(super) config: CheckpointConfig,
    /// The store in which the thread deletes its object, also after the probe is abandoned.
    pub(super) cleanup_store: Arc<dyn CheckpointStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop_signal: StopSignal,
    pub(super) abandonment: OpeningAbandonment,
    pub(super) answer: MessageSender<()>,
}

impl StoreProbeThread {
    /// Makes each kind of call that an opening needs, until the store has answered all of them. Then reports it, and deletes
    /// the object of the probe.
    pub(super) fn await_answer(self) {
        if self.await_answer_to_each_call().is_ok() {
            // The worker may have ended.
            let _ = self.answer.send(());
        }
        delete_probe_object(&*self.cleanup_store);
    }

    /// Lists the epochs of a partition, creates an object and reads it.
    ///
    /// # Errors
    /// When a stop was requested or the probe was abandoned.
    fn await_answer_to_each_call(&self) -> Result<(), Halt> {
        let store = &*self.config.checkpoint_store;
        let content = || self.config.process_name.clone().into_bytes();
        self.await_answer_to(|| store.list_objects(&object_names::epochs_folder(self.partition)))?;
        self.await_answer_to(|| store.create_object(STORE_PROBE_OBJECT, content()))?;
        self.await_answer_to(|| store.read_object(STORE_PROBE_OBJECT))
    }

    /// Repeats `call` while the store does not answer. A refusal is an answer: the worker then joins its group, and an opening
    /// finds and reports the fault.
    fn await_answer_to<T>(&self, mut call: impl FnMut() -> Result<T, StoreFault>) -> Result<(), Halt> {
        let retry = StoreRetry {
            checkpoint_config: &self.config,
            clock: &*self.clock,
            stop_signal: &self.stop_signal,
            abandonment: &self.abandonment,
        };
        retry.retry_while_unreachable(|| match call() {
            Err(fault) if fault.fault_class() == FaultClass::Transient => Err(fault),
            _ => Ok(()),
        })
    }
}

/// Deletes the object of a probe, if the store lets it.
pub(super) fn delete_probe_object(store: &dyn CheckpointStore) {
    if let Err(fault) = store.delete_objects(&[STORE_PROBE_OBJECT.to_owned()]) {
        debug!(%fault, "the object of a probe cannot be deleted; the next probe deletes it");
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
