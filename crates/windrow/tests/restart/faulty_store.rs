//! A checkpoint store with configurable faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use windrow_engine::halt::share_error;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

/// Passes every call to another store, except for the configured faults.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn CheckpointStore>,
    /// Of a hundred calls, so many fail before they take effect.
    pub(crate) failing_percent: AtomicU64,
    pub(crate) lost_answer_percent: AtomicU64,
    /// Every `create` fails as on a full disk.
    pub(crate) is_full: AtomicBool,
    /// How many calls of `create` failed for that reason.
    pub(crate) refused_creates: AtomicU64,
    /// `create` overwrites existing objects, as stores without conditional writes do.
    pub(crate) overwrites_existing: AtomicBool,
    /// `delete_objects` fails, as for a user without this permission.
    pub(crate) refuses_deletes: AtomicBool,
    calls: AtomicU64,
}

impl FaultyStore {
    pub(crate) fn wrap(inner: Arc<dyn CheckpointStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            failing_percent: AtomicU64::new(0),
            lost_answer_percent: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            refused_creates: AtomicU64::new(0),
            overwrites_existing: AtomicBool::new(false),
            refuses_deletes: AtomicBool::new(false),
            calls: AtomicU64::new(0),
        })
    }

    fn call_with_faults<T>(&self, work: impl FnOnce() -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        // The faults are spread like random ones, but are the same in every run.
        let number = self.calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (before, after) = ((number >> 32) % 100, (number >> 40) % 100);
        if before < self.failing_percent.load(Ordering::Relaxed) {
            return Err(StoreFault::Failed(share_error("an error before it was done")));
        }
        let result = work();
        if after < self.lost_answer_percent.load(Ordering::Relaxed) {
            return Err(StoreFault::Failed(share_error("the answer was lost")));
        }
        result
    }
}

impl CheckpointStore for FaultyStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        if self.is_full.load(Ordering::Relaxed) {
            self.refused_creates.fetch_add(1, Ordering::Relaxed);
            return Err(StoreFault::Failed(share_error("no space left")));
        }
        if self.overwrites_existing.load(Ordering::Relaxed) {
            self.inner.delete_objects(&[name.to_owned()])?;
        }
        self.call_with_faults(|| self.inner.create_object(name, bytes))
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.call_with_faults(|| self.inner.read_object(name))
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.call_with_faults(|| self.inner.list_objects(folder))
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        if self.refuses_deletes.load(Ordering::Relaxed) {
            return Err(StoreFault::Refused(share_error("no permission to delete")));
        }
        self.call_with_faults(|| self.inner.delete_objects(names))
    }

    fn place(&self) -> &str {
        self.inner.place()
    }
}
