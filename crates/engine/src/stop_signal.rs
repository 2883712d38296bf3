//! The request to stop, which all workers of a process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that asks all workers of a process to stop. For example, the process sets the flag after a Unix signal or
/// when one worker halts. Every worker checks the flag.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Requests all workers to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Returns whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
