//! Whether a service that the job depends on can be reached.
//!
//! Owns: since when it is unreachable, and why. Does not own: finding out.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Clock, SystemClock};

/// A service that is unreachable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DependencyOutage {
    /// Since when, in epoch milliseconds of the wall clock.
    pub since_ms: i64,
    /// The newest reason.
    pub reason: String,
}

/// Whether a service is reachable. Clones share it: some threads find out, others read.
#[derive(Clone, Debug)]
pub struct Reachability {
    outage: Arc<Mutex<Option<DependencyOutage>>>,
    clock: Arc<dyn Clock>,
}

impl Default for Reachability {
    /// Returns a service that is reachable, with the clock of the system.
    fn default() -> Self {
        Self::new(SystemClock::shared())
    }
}

impl Reachability {
    /// Returns a service that is reachable.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { outage: Arc::default(), clock }
    }

    /// Notes that the service did not answer, because of `reason`.
    pub fn mark_unreachable(&self, reason: &str) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *outage {
            Some(known) if known.reason == reason => {}
            Some(known) => reason.clone_into(&mut known.reason),
            None => *outage = Some(DependencyOutage { since_ms: self.clock.wall_now_ms(), reason: reason.to_owned() }),
        }
    }

    /// Notes that the service answered.
    pub fn mark_reachable(&self) {
        *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the outage; `None` while the service is reachable.
    #[must_use]
    pub fn outage(&self) -> Option<DependencyOutage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
