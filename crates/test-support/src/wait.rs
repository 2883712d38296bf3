//! Waits until another process or thread makes a condition true.

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `condition` returns true. If this function panics, `what` describes the condition in the message.
///
/// # Panics
/// When `condition` does not return true within `seconds`.
pub fn wait_until_or_panic(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < deadline, "not true within {seconds} s: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
