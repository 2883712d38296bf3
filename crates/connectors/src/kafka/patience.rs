//! Calls into librdkafka that may block for as long as Kafka is away, with an end.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Does `work` on a thread of its own and waits at most `patience` for it. `None` when that was not enough; the work
/// goes on then, and ends with the process at the latest.
pub(super) fn run_with_timeout<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("kafka-patience".to_owned()).spawn(move || {
        // Nobody listens any more once the patience is over.
        let _ = sender.send(work());
    });
    thread.ok().and_then(|_detached| receiver.recv_timeout(timeout).ok())
}
