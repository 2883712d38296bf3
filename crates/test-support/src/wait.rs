//! Waits until another process or thread makes a condition true.

use std::thread;
use std::time::{Duration, Instant};

/// Ends a test that hangs. Progress decides whether a test passes, so that even a very busy machine does not reach this time.
pub const HANG_TIMEOUT: Duration = Duration::from_secs(180);

/// Waits until `condition` returns true. If this function panics, `what` describes the condition in the message.
///
/// # Panics
/// When `condition` does not return true within [`HANG_TIMEOUT`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG_TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "not true within {HANG_TIMEOUT:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
