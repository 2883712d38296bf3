//! A wrapper that records whether a checkpoint store is reachable.

use std::sync::Arc;

use windrow_connectors::outage::SharedOutageTracker;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

/// Forwards every call to another store, and records whether that store responded, or has not responded yet.
#[derive(Debug)]
pub(crate) struct ReachabilityTrackingStore {
    store: Arc<dyn CheckpointStore>,
    reachability: SharedOutageTracker,
}

impl ReachabilityTrackingStore {
    /// Wraps `store`, and records in `reach` whether `store` responds.
    pub(crate) fn new(store: Arc<dyn CheckpointStore>, reach: &SharedOutageTracker) -> Self {
        Self { store, reachability: reach.clone() }
    }

    fn record_reachability<T>(
        &self,
        call: impl FnOnce(&dyn CheckpointStore) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        let pending = self.reachability.begin_call();
        let answer = call(&*self.store);
        drop(pending);
        match &answer {
            Ok(_) | Err(StoreFault::Exists | StoreFault::CreatedTwice) => self.reachability.mark_reachable(),
            Err(StoreFault::Failed(error) | StoreFault::Refused(error)) => {
                self.reachability.mark_unreachable(&error.to_string());
            }
        }
        answer
    }
}

impl CheckpointStore for ReachabilityTrackingStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        self.record_reachability(|store| store.create_object(name, bytes))
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.record_reachability(|store| store.read_object(name))
    }

    fn read_objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreFault> {
        self.record_reachability(|store| store.read_objects(names))
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.record_reachability(|store| store.list_objects(folder))
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        self.record_reachability(|store| store.delete_objects(names))
    }

    fn place(&self) -> &str {
        self.store.place()
    }
}
