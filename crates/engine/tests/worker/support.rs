//! What the tests of workers share.

pub(crate) mod memory_store;
pub(crate) mod parking_job;
pub(crate) mod scripted_worker;
pub(crate) mod test_job;

use std::time::Duration;

/// The longest wait of a test for one expected event, in real time.
pub(crate) const HANG_TIMEOUT: Duration = Duration::from_secs(300);
