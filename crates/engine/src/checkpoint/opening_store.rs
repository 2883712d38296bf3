//! The checkpoint store as the thread that opens a partition reaches it.
//!
//! Owns: the end of calls for an opening that the worker has abandoned, the time of the store's last answer, and whether
//! the opening waits for an answer. Does not own: the calls themselves (the wrapped store).
//! Invariant: after an opening is abandoned, its thread begins no further call. So a call that hangs for a long time is
//! not followed by a claim of a partition that another worker owns by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::store::{CheckpointStore, ListedObject, StoreFault};
use crate::halt::share_error;
use crate::{Clock, OpeningAbandonment};

/// The monotonic time at which a store last answered. Clones share the time.
#[derive(Clone, Debug, Default)]
pub(super) struct LastStoreAnswer(Arc<Mutex<Option<Duration>>>);

impl LastStoreAnswer {
    pub(super) fn answered_at(&self) -> Option<Duration> {
        *self.0.lock()
    }

    /// Records an answer at `at`. The recorded time never goes back.
    pub(super) fn record(&self, at: Duration) {
        let mut recorded = self.0.lock();
        *recorded = Some(recorded.map_or(at, |known| known.max(at)));
    }
}

/// Whether an opening waits for an answer of the store, also between two attempts of a call. Clones share this.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingStoreCall(Arc<AtomicBool>);

impl PendingStoreCall {
    pub(super) fn is_pending(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set_pending(&self, is_pending: bool) {
        self.0.store(is_pending, Ordering::Release);
    }
}

/// The additional time in which a call that reads state counts as answered.
const TRANSFER_ALLOWANCE: Duration = Duration::from_secs(20);

/// Passes the calls of one opening to a store.
#[derive(Debug)]
pub(super) struct OpeningStore {
    pub(super) store: Arc<dyn CheckpointStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) abandonment: OpeningAbandonment,
    pub(super) last_answer_to_thread: LastStoreAnswer,
    pub(super) last_answer_to_worker: LastStoreAnswer,
    pub(super) pending_call: PendingStoreCall,
}

impl OpeningStore {
    fn call_unless_abandoned<T>(
        &self,
        call: impl FnOnce(&dyn CheckpointStore) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        if self.abandonment.is_abandoned() {
            return Err(StoreFault::Failed(share_error("the worker no longer opens the partition")));
        }
        self.pending_call.set_pending(true);
        let answer = call(&*self.store);
        if !matches!(answer, Err(StoreFault::Failed(_))) {
            self.pending_call.set_pending(false);
            self.record_answer_at(self.clock.monotonic_now());
        }
        answer
    }
}

impl OpeningStore {
    fn record_answer_at(&self, at: Duration) {
        self.last_answer_to_thread.record(at);
        self.last_answer_to_worker.record(at);
    }
}

impl CheckpointStore for OpeningStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        self.call_unless_abandoned(|store| store.create_object(name, bytes))
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.call_unless_abandoned(|store| store.read_object(name))
    }

    fn read_objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreFault> {
        // State may take long over a slow connection, and comes only when its opening has had other answers.
        self.record_answer_at(self.clock.monotonic_now() + TRANSFER_ALLOWANCE);
        self.call_unless_abandoned(|store| store.read_objects(names))
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.call_unless_abandoned(|store| store.list_objects(folder))
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        self.call_unless_abandoned(|store| store.delete_objects(names))
    }

    fn place(&self) -> &str {
        self.store.place()
    }
}
