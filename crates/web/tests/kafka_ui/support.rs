//! What the tests share: a server over a real Kafka.

pub(crate) mod dedicated_kafka;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod ui;

/// Waits until `condition` holds, at most `seconds`.
pub(crate) async fn eventually<F: Future<Output = bool>>(seconds: u64, what: &str, mut condition: impl FnMut() -> F) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !condition().await {
        assert!(std::time::Instant::now() < until, "not within {seconds} s: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
