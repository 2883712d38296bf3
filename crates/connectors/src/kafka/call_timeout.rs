//! Limits how long a caller waits for librdkafka. Some calls into librdkafka block while Kafka is unreachable.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs `call` on a new thread. Returns the result of the call, or `None` if the call takes longer than `timeout`.
/// After the timeout, the call continues on its thread until the call or the process ends.
pub(super) fn run_with_timeout<T: Send + 'static>(
    timeout: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("kafka-call".to_owned()).spawn(move || {
        // After the timeout the receiver no longer exists. Then sending fails, and the result is discarded.
        let _ = sender.send(call());
    });
    thread.ok().and_then(|_detached| receiver.recv_timeout(timeout).ok())
}
