//! The savepoint requests of this process, shared between HTTP handlers and the threads that take savepoints.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::remembered_savepoints::{OutcomeServingTimes, RememberedSavepoints};
use crate::report::SavepointReport;

/// After a savepoint stopped the job, the process waits this long for a caller to fetch the outcome.
const OUTCOME_FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// After the outcome was fetched, the process waits this long, so that the answer can be sent.
const ANSWER_FLUSH_TIME: Duration = Duration::from_millis(200);

/// The savepoint requests of this process. Clones of this handle share the requests.
#[derive(Clone, Default)]
pub struct SavepointRegistry(Arc<Mutex<RememberedSavepoints>>);

impl SavepointRegistry {
    /// Returns the reports of all remembered requests, newest first.
    #[must_use]
    pub fn savepoint_reports(&self) -> Vec<SavepointReport> {
        self.lock_requests().reports_newest_first()
    }

    /// Waits until the outcome of a savepoint that stopped the job has been fetched, for at most ten seconds.
    pub fn wait_until_outcome_fetched(&self) {
        const TIMES: OutcomeServingTimes =
            OutcomeServingTimes { before_fetch: OUTCOME_FETCH_TIMEOUT, after_fetch: ANSWER_FLUSH_TIME };
        loop {
            let Some(until) = self.lock_requests().outcome_serving_deadline(TIMES) else { return };
            let now = Instant::now();
            if until <= now {
                return;
            }
            thread::sleep((until - now).min(Duration::from_millis(50)));
        }
    }

    pub(super) fn lock_requests(&self) -> MutexGuard<'_, RememberedSavepoints> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
