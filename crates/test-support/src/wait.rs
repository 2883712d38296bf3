//! Waits for conditions that another process or thread fulfils.

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `condition` holds. `what` names the condition in the message of the panic.
///
/// # Panics
/// When `condition` does not hold within `seconds`.
pub fn wait_until_or_panic(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
