//! How much is asked of Redis at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::scan_budget::{ScanBudget, ScanStep};
use crate::job::JobPace;

/// Requests that read rows at a time.
const ROW_READS_MAX: usize = 4;
/// Users that are searched for at a time.
const SEARCHES_MAX: usize = 2;

/// The limits of all lookups together. A handle: clones share the same limits.
#[derive(Clone)]
pub(super) struct LookupLimits {
    read_permits: Arc<Semaphore>,
    search_permits: Arc<Semaphore>,
    scan_budget: Arc<Mutex<ScanBudget>>,
}

impl Default for LookupLimits {
    fn default() -> Self {
        Self {
            read_permits: Arc::new(Semaphore::new(ROW_READS_MAX)),
            search_permits: Arc::new(Semaphore::new(SEARCHES_MAX)),
            scan_budget: Arc::new(Mutex::new(ScanBudget::new(Instant::now()))),
        }
    }
}

impl LookupLimits {
    /// Waits until rows may be read. The permit is none only if the limits were closed, which never happens.
    pub(super) async fn wait_for_read(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.read_permits).acquire_owned().await.ok()
    }

    /// Waits until another user may be searched for.
    pub(super) async fn wait_for_search(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.search_permits).acquire_owned().await.ok()
    }

    /// Sets how fast Redis may be scanned.
    pub(super) fn set_scan_rate(&self, pace: JobPace) {
        self.lock_budget().set_rate(pace);
    }

    /// Blocks until the next step of a scan may be taken.
    pub(super) fn block_until_scan_step(&self) {
        loop {
            let step = self.lock_budget().try_take_step(Instant::now());
            match step {
                ScanStep::Taken => return,
                ScanStep::Wait(wait) => thread::sleep(wait),
            }
        }
    }

    fn lock_budget(&self) -> MutexGuard<'_, ScanBudget> {
        self.scan_budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
