//! Limits the load that all lookups of users' rows together put on Redis.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::scan_budget::{ScanBudget, ScanStepPermission};
use crate::job::JobPace;

/// The largest number of requests that read rows from Redis at the same time.
const MAX_CONCURRENT_ROW_READS: usize = 4;
/// The largest number of searches for users' Redis keys that run at the same time.
const MAX_CONCURRENT_SEARCHES: usize = 2;

/// The permits and the scan budget for all lookups of users' rows. Clones share the same permits and the same budget.
#[derive(Clone)]
pub(super) struct LookupLimits {
    read_permits: Arc<Semaphore>,
    search_permits: Arc<Semaphore>,
    scan_budget: Arc<Mutex<ScanBudget>>,
}

impl Default for LookupLimits {
    fn default() -> Self {
        Self {
            read_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_ROW_READS)),
            search_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_SEARCHES)),
            scan_budget: Arc::new(Mutex::new(ScanBudget::new(Instant::now()))),
        }
    }
}

impl LookupLimits {
    /// Waits for a permit to read rows from Redis. Never returns `None`, because no code closes the semaphore.
    pub(super) async fn acquire_read_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.read_permits).acquire_owned().await.ok()
    }

    /// Waits for a permit to search Redis for a user's keys. Never returns `None`, because no code closes the
    /// semaphore.
    pub(super) async fn acquire_search_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.search_permits).acquire_owned().await.ok()
    }

    /// Sets the rate at which all searches together may scan Redis. `pace` says whether the job keeps up with its input
    /// or is behind. The rate is lower while the job is behind, so that Redis has more time for the job's rows.
    pub(super) fn set_scan_rate_for_pace(&self, pace: JobPace) {
        self.scan_budget.lock().set_rate_for_pace(pace);
    }

    /// Blocks the thread until the scan budget permits another scan step, which is one `SCAN` command. Takes this step
    /// from the budget.
    pub(super) fn block_until_scan_step_granted(&self) {
        loop {
            let step = self.scan_budget.lock().try_take_scan_step(Instant::now());
            match step {
                ScanStepPermission::Granted => return,
                ScanStepPermission::RetryAfter(wait) => thread::sleep(wait),
            }
        }
    }
}
