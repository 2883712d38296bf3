//! Shares the savepoint requests of this process between HTTP handlers and the threads that take savepoints.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::remembered_savepoints::{OutcomeServingTimes, RememberedSavepoints};
use crate::report::RequestedSavepointReport;

/// After a savepoint has stopped the job, the server waits this long for a caller to fetch the savepoint's outcome.
pub const OUTCOME_FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// After a caller has asked for the outcome of the savepoint that stopped the job, the server keeps running this long.
/// So the caller receives the answer.
const ANSWER_FLUSH_TIME: Duration = Duration::from_millis(200);

/// The remembered savepoint requests of this process. Clones of this handle share the requests.
#[derive(Clone, Default)]
pub struct SavepointRegistry(Arc<Mutex<RememberedSavepoints>>);

impl SavepointRegistry {
    /// Returns the reports of all remembered savepoint requests, newest first.
    #[must_use]
    pub fn savepoint_reports(&self) -> Vec<RequestedSavepointReport> {
        self.lock_requests().reports_newest_first()
    }

    /// Waits until a caller has fetched the outcome of the savepoint that stopped the job, but at most ten seconds.
    /// Returns at once if no savepoint stopped the job.
    pub fn wait_until_outcome_fetched(&self) {
        const OUTCOME_SERVING_TIMES: OutcomeServingTimes =
            OutcomeServingTimes { wait_for_fetch_max: OUTCOME_FETCH_TIMEOUT, wait_after_fetch: ANSWER_FLUSH_TIME };
        loop {
            let Some(until) = self.lock_requests().outcome_serving_deadline(OUTCOME_SERVING_TIMES) else { return };
            let now = Instant::now();
            if until <= now {
                return;
            }
            thread::sleep((until - now).min(Duration::from_millis(50)));
        }
    }

    pub(super) fn lock_requests(&self) -> MutexGuard<'_, RememberedSavepoints> {
        self.0.lock()
    }
}
