//! Limits the load on Redis by all lookups together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::scan_budget::{ScanBudget, ScanStepPermission};
use crate::job::JobPace;

/// The largest number of requests that read rows at the same time.
const CONCURRENT_ROW_READS_MAX: usize = 4;
/// The largest number of searches at the same time.
const CONCURRENT_SEARCHES_MAX: usize = 2;

/// The limits of all lookups together. Clones of this handle share the limits.
#[derive(Clone)]
pub(super) struct LookupLimits {
    read_permits: Arc<Semaphore>,
    search_permits: Arc<Semaphore>,
    scan_budget: Arc<Mutex<ScanBudget>>,
}

impl Default for LookupLimits {
    fn default() -> Self {
        Self {
            read_permits: Arc::new(Semaphore::new(CONCURRENT_ROW_READS_MAX)),
            search_permits: Arc::new(Semaphore::new(CONCURRENT_SEARCHES_MAX)),
            scan_budget: Arc::new(Mutex::new(ScanBudget::new(Instant::now()))),
        }
    }
}

impl LookupLimits {
    /// Waits for a permit to read rows. Returns `None` only if the semaphore is closed, which never happens.
    pub(super) async fn acquire_read_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.read_permits).acquire_owned().await.ok()
    }

    /// Waits for a permit to search for a user's keys.
    pub(super) async fn acquire_search_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.search_permits).acquire_owned().await.ok()
    }

    /// Sets the rate at which Redis may be scanned.
    pub(super) fn set_scan_rate(&self, pace: JobPace) {
        self.lock_budget().set_rate(pace);
    }

    /// Blocks the thread until the scan budget permits another step, and takes the step from the budget.
    pub(super) fn block_until_scan_step(&self) {
        loop {
            let step = self.lock_budget().try_take_step(Instant::now());
            match step {
                ScanStepPermission::Granted => return,
                ScanStepPermission::RetryAfter(wait) => thread::sleep(wait),
            }
        }
    }

    fn lock_budget(&self) -> MutexGuard<'_, ScanBudget> {
        self.scan_budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
