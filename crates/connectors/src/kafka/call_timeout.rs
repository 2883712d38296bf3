//! A time limit for calls into librdkafka that may block while Kafka is unreachable.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs `call` on a new thread and returns its result, or `None` after `timeout`. After the timeout the call continues
/// on its thread, at most until the process ends.
pub(super) fn run_with_timeout<T: Send + 'static>(
    timeout: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("kafka-call".to_owned()).spawn(move || {
        // Sending fails after the timeout, when the receiver no longer exists.
        let _ = sender.send(call());
    });
    thread.ok().and_then(|_detached| receiver.recv_timeout(timeout).ok())
}
