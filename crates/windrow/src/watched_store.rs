//! A checkpoint store that takes note of whether it answers.

use std::sync::Arc;

use windrow_engine::{CheckpointStore, Listed, Reachability, StoreFault};

/// Hands every call on.
#[derive(Debug)]
pub(crate) struct WatchedStore {
    store: Arc<dyn CheckpointStore>,
    reach: Reachability,
}

impl WatchedStore {
    /// `store`, with a note in `reach`.
    pub(crate) fn new(store: Arc<dyn CheckpointStore>, reach: &Reachability) -> Self {
        Self { store, reach: reach.clone() }
    }

    fn note<T>(&self, answer: Result<T, StoreFault>) -> Result<T, StoreFault> {
        match &answer {
            Ok(_) | Err(StoreFault::Exists) => self.reach.back(),
            Err(StoreFault::Failed(reason) | StoreFault::Refused(reason)) => self.reach.away(reason),
        }
        answer
    }
}

impl CheckpointStore for WatchedStore {
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        self.note(self.store.create(name, bytes))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.note(self.store.read(name))
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreFault> {
        self.note(self.store.list(folder))
    }

    fn delete(&self, names: &[String]) -> Result<(), StoreFault> {
        self.note(self.store.delete(names))
    }

    fn place(&self) -> &str {
        self.store.place()
    }
}
