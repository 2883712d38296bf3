//! A channel from one thread to another, whose receiver waits by the engine's clock.
//!
//! Invariant: the receiver gets all messages that were sent before the sender was dropped.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use crate::Clock;
use crate::wakeup::Wakeup;

/// The sender of a channel. Dropping it closes the channel.
#[derive(Debug)]
pub(crate) struct MessageSender<T> {
    /// `None` only while the sender is being dropped.
    sender: Option<Sender<T>>,
    wakeup: Arc<Wakeup>,
}

/// The receiver of a channel.
#[derive(Debug)]
pub(crate) struct MessageReceiver<T> {
    receiver: Receiver<T>,
    wakeup: Arc<Wakeup>,
    clock: Arc<dyn Clock>,
}

/// The other end of the channel was dropped, and no message is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ChannelClosed;

/// Creates a channel whose receiver waits by `clock`.
pub(crate) fn message_channel<T>(clock: Arc<dyn Clock>) -> (MessageSender<T>, MessageReceiver<T>) {
    let (sender, receiver) = channel();
    let wakeup = Arc::new(Wakeup::default());
    (MessageSender { sender: Some(sender), wakeup: Arc::clone(&wakeup) }, MessageReceiver { receiver, wakeup, clock })
}

impl<T> MessageSender<T> {
    /// Sends `message` without waiting.
    pub(crate) fn send(&self, message: T) -> Result<(), ChannelClosed> {
        self.sender.as_ref().ok_or(ChannelClosed)?.send(message).map_err(|_| ChannelClosed)?;
        self.wakeup.notify();
        Ok(())
    }
}

impl<T> Drop for MessageSender<T> {
    fn drop(&mut self) {
        // The receiver must find the channel closed when it wakes up.
        self.sender = None;
        self.wakeup.notify();
    }
}

impl<T> MessageReceiver<T> {
    /// Returns the next message without waiting; `None` if no message is queued.
    pub(crate) fn try_receive(&self) -> Result<Option<T>, ChannelClosed> {
        match self.receiver.try_recv() {
            Ok(message) => Ok(Some(message)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ChannelClosed),
        }
    }

    /// Waits up to `timeout` for the next message. Returns `None` if no message came in this time.
    pub(crate) fn receive_within(&self, timeout: Duration) -> Result<Option<T>, ChannelClosed> {
        let seen = self.wakeup.notification_count();
        if let Some(message) = self.try_receive()? {
            return Ok(Some(message));
        }
        self.clock.wait_for_notification(&self.wakeup, seen, timeout);
        self.try_receive()
    }

    /// Waits for the next message.
    pub(crate) fn receive(&self) -> Result<T, ChannelClosed> {
        loop {
            if let Some(message) = self.receive_within(Duration::MAX)? {
                return Ok(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;

    #[test]
    fn all_messages_arrive_before_the_channel_is_closed() {
        let (sender, receiver) = message_channel(SystemClock::start_shared());
        assert_eq!(receiver.receive_within(Duration::ZERO), Ok(None));
        [1, 2].iter().for_each(|number| sender.send(*number).expect("open"));
        drop(sender);
        assert_eq!(receiver.receive_within(Duration::ZERO), Ok(Some(1)));
        assert_eq!([receiver.receive(), receiver.receive()], [Ok(2), Err(ChannelClosed)]);
    }

    #[test]
    fn a_waiting_receiver_wakes_up_for_a_message_and_for_the_end() {
        let (sender, receiver) = message_channel(SystemClock::start_shared());
        let waiting = std::thread::spawn(move || [receiver.receive(), receiver.receive()]);
        sender.send(1).expect("open");
        drop(sender);
        assert_eq!(waiting.join().expect("no panic"), [Ok(1), Err(ChannelClosed)]);
    }

    #[test]
    fn nothing_is_sent_to_a_dropped_receiver() {
        let (sender, receiver) = message_channel::<u32>(SystemClock::start_shared());
        drop(receiver);
        assert_eq!(sender.send(1), Err(ChannelClosed));
    }
}
