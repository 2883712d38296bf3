//! Delays between the attempts of a retry loop.

use std::time::Duration;

/// The delays of one retry loop: each is twice the one before, from the shortest to the longest.
#[derive(Clone, Debug)]
pub struct RetryBackoff {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

impl RetryBackoff {
    /// Starts with `shortest`, and never exceeds `longest`.
    #[must_use]
    pub const fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, next: shortest }
    }

    /// Returns the delay before the next attempt, and doubles the one after it.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(self.longest);
        delay
    }

    /// Starts over with the shortest delay, after a success.
    pub const fn reset(&mut self) {
        self.next = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        let mut backoff = RetryBackoff::new(ms(100), ms(500));
        let delays: Vec<_> = (0..5).map(|_| backoff.next_delay()).collect();
        assert_eq!(delays, [100, 200, 400, 500, 500].map(ms));
        backoff.reset();
        assert_eq!(backoff.next_delay(), ms(100));
    }
}
