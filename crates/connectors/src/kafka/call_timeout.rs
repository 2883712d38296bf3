//! Bounded time for calls into librdkafka that may block for as long as Kafka is unreachable.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs `call` on a thread of its own and returns its result, or `None` after `timeout`. The call continues then, and ends
/// with the process at the latest.
pub(super) fn run_with_timeout<T: Send + 'static>(
    timeout: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("kafka-call".to_owned()).spawn(move || {
        // After the timeout there is no receiver.
        let _ = sender.send(call());
    });
    thread.ok().and_then(|_detached| receiver.recv_timeout(timeout).ok())
}
