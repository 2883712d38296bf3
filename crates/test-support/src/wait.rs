//! Waiting for something that another process or thread does.

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within `seconds`.
pub fn eventually(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
