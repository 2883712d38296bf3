//! What the tests share: a server over a real Kafka.

pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod ui;

use windrow_test_support::HANG_TIMEOUT;

/// Waits until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let until = std::time::Instant::now() + HANG_TIMEOUT;
    while !condition().await {
        assert!(std::time::Instant::now() < until, "not within {HANG_TIMEOUT:?}: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
