//! A checkpoint store that misbehaves as told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use windrow_engine::{CheckpointStore, Listed, StoreFault};

/// Passes everything on to another store, unless told otherwise.
#[derive(Debug)]
pub(crate) struct Wayward {
    inner: Arc<dyn CheckpointStore>,
    /// Of a hundred calls, so many fail before they take effect, and so many after.
    pub(crate) fails: AtomicU64,
    pub(crate) forgets: AtomicU64,
    /// Nothing can be created: the disk is full.
    pub(crate) full: AtomicBool,
    /// What could not be created because of that.
    pub(crate) turned_away: AtomicU64,
    /// What exists is created once more, as stores without conditional writes do.
    pub(crate) overwrites: AtomicBool,
    calls: AtomicU64,
}

impl Wayward {
    pub(crate) fn around(inner: Arc<dyn CheckpointStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fails: AtomicU64::new(0),
            forgets: AtomicU64::new(0),
            full: AtomicBool::new(false),
            turned_away: AtomicU64::new(0),
            overwrites: AtomicBool::new(false),
            calls: AtomicU64::new(0),
        })
    }

    fn call<T>(&self, work: impl FnOnce() -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        // Scattered as if at random, and the same in every run.
        let number = self.calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (before, after) = ((number >> 32) % 100, (number >> 40) % 100);
        if before < self.fails.load(Ordering::Relaxed) {
            return Err(StoreFault::Failed("an error before it was done".to_owned()));
        }
        let result = work();
        if after < self.forgets.load(Ordering::Relaxed) {
            return Err(StoreFault::Failed("the answer was lost".to_owned()));
        }
        result
    }
}

impl CheckpointStore for Wayward {
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        if self.full.load(Ordering::Relaxed) {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return Err(StoreFault::Failed("no space left".to_owned()));
        }
        if self.overwrites.load(Ordering::Relaxed) {
            self.inner.delete(&[name.to_owned()])?;
        }
        self.call(|| self.inner.create(name, bytes))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.call(|| self.inner.read(name))
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreFault> {
        self.call(|| self.inner.list(folder))
    }

    fn delete(&self, names: &[String]) -> Result<(), StoreFault> {
        self.call(|| self.inner.delete(names))
    }

    fn place(&self) -> &str {
        self.inner.place()
    }
}
