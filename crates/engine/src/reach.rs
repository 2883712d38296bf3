//! Whether something that the job depends on is there.
//!
//! Owns: since when it has been away, and why. Does not own: finding out.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// Something that is away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DependencyOutage {
    /// Since when, in epoch milliseconds of the wall clock.
    pub since_ms: i64,
    /// Why, as heard last.
    pub reason: String,
}

/// Shared by those who find out and those who want to know.
#[derive(Clone, Debug, Default)]
pub struct Reachability(Arc<Mutex<Option<DependencyOutage>>>);

impl Reachability {
    /// It did not answer, because of `reason`.
    pub fn mark_unreachable(&self, reason: &str) {
        let mut absence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *absence {
            Some(known) if known.reason == reason => {}
            Some(known) => reason.clone_into(&mut known.reason),
            None => {
                let since_ms = Timestamp::now().as_millisecond();
                *absence = Some(DependencyOutage { since_ms, reason: reason.to_owned() });
            }
        }
    }

    /// It answered.
    pub fn mark_reachable(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What is known; `None` while all is well.
    #[must_use]
    pub fn outage(&self) -> Option<DependencyOutage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
