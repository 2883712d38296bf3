//! What the tests share: Kafka, Redis, the binary, and rows in a comparable form.

pub(crate) mod expected;
pub(crate) mod kafka;
pub(crate) mod member;
pub(crate) mod redis;
pub(crate) mod rows;
pub(crate) mod traffic;
pub(crate) mod watcher;
pub(crate) mod windrow;

/// Waits until `condition` holds, and fails after `seconds`.
pub(crate) fn wait_until(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !condition() {
        assert!(std::time::Instant::now() < until, "not within {seconds} s: {what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
