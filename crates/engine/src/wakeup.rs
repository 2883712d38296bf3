//! Lets one thread wait until another thread has something for it.
//!
//! Owns: the count of notifications, and the wait of an operating-system thread. Does not own: what the threads exchange.
//! A thread waits through [`crate::Clock::wait_for_notification`], so that a simulation can run other work in the meantime.
//! Invariant: no notification is lost. A thread reads the count, looks for work, and then waits for a larger count.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The number of notifications that a [`Wakeup`] has received.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct NotificationCount(u64);

/// Counts notifications, and wakes the threads that wait for the next one.
#[derive(Debug, Default)]
pub struct Wakeup {
    notifications: Mutex<NotificationCount>,
    notified: Condvar,
}

impl Wakeup {
    /// Adds a notification and wakes all waiting threads.
    pub fn notify(&self) {
        self.notifications.lock().0 += 1;
        self.notified.notify_all();
    }

    /// Returns the number of notifications so far.
    #[must_use]
    pub fn notification_count(&self) -> NotificationCount {
        *self.notifications.lock()
    }

    /// Blocks the calling thread until there are more notifications than `seen`, but at most for `timeout` by the
    /// system's clock.
    pub fn block_until_notified(&self, seen: NotificationCount, timeout: Duration) {
        let mut notifications = self.notifications.lock();
        self.notified.wait_while_for(&mut notifications, |count| *count <= seen, timeout);
    }
}
