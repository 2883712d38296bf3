//! Tells the thread that opens a partition that its worker no longer waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a worker has abandoned the opening of a partition. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct OpeningAbandonment(Arc<AtomicBool>);

impl OpeningAbandonment {
    /// Abandons the opening: its thread begins no further call.
    pub fn abandon(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Returns whether the opening is abandoned.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
