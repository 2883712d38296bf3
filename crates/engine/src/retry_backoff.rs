//! Delays between the attempts of a retry loop.

use std::time::Duration;

/// Computes the delays between the attempts of one retry loop. Each delay is twice the previous delay, up to a maximum.
#[derive(Clone, Debug)]
pub struct RetryBackoff {
    shortest_delay: Duration,
    longest_delay: Duration,
    next_delay: Duration,
}

impl RetryBackoff {
    /// Creates a backoff whose delays start with `shortest_delay` and never exceed `longest_delay`.
    #[must_use]
    pub const fn new(shortest_delay: Duration, longest_delay: Duration) -> Self {
        Self { shortest_delay, longest_delay, next_delay: shortest_delay }
    }

    /// Returns the delay before the next attempt. The next call returns twice this delay, up to the longest delay.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next_delay;
        self.next_delay = (delay * 2).min(self.longest_delay);
        delay
    }

    /// Sets the next delay to the shortest delay. A retry loop calls this function after a successful attempt.
    pub const fn reset(&mut self) {
        self.next_delay = self.shortest_delay;
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
