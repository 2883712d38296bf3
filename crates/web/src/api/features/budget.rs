//! How fast pages may look through Redis, all together.

use std::time::{Duration, Instant};

/// Steps that may be taken at once, after a pause: 50,000 keys, so that a small database is looked through in no time.
const AT_ONCE: f64 = 50.0;
/// Steps a second from then on, while the job keeps up: about five percent of what a Redis can do (a step was measured at
/// one millisecond).
const PER_SECOND: f64 = 50.0;
/// And while it does not: what Redis can do is the job's.
const PER_SECOND_BEHIND: f64 = 5.0;

/// What is left to spend (a token bucket).
pub(super) struct Budget {
    steps: f64,
    per_second: f64,
    at: Instant,
}

impl Budget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { steps: AT_ONCE, per_second: PER_SECOND, at: now }
    }

    /// Whether the job keeps up.
    pub(super) const fn set(&mut self, keeps_up: bool) {
        self.per_second = if keeps_up { PER_SECOND } else { PER_SECOND_BEHIND };
    }

    /// Spends a step. Where there is none left: after how long to ask again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.steps = (self.steps + earned).min(AT_ONCE);
        self.at = now;
        if self.steps < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.steps) / self.per_second));
        }
        self.steps -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps taken within `length` by somebody who waits as told.
    fn taken(budget: &mut Budget, mut now: Instant, length: Duration) -> u32 {
        let (end, mut steps) = (now + length, 0);
        while now < end {
            match budget.take(now) {
                Ok(()) => steps += 1,
                Err(wait) => now += wait.max(Duration::from_micros(1)),
            }
        }
        steps
    }

    #[test]
    fn a_burst_and_then_a_steady_rate() {
        let began = Instant::now();
        let mut budget = Budget::new(began);
        assert_eq!(taken(&mut budget, began, Duration::from_micros(1)), 50);
        let minute = Duration::from_secs(60);
        assert!((2_998..=3_001).contains(&taken(&mut budget, began, minute)));
        budget.set(false);
        assert!((298..=301).contains(&taken(&mut budget, began + minute, minute)));
        // An hour later there is a burst again, not an hour's worth.
        let later = began + 60 * minute;
        assert_eq!(taken(&mut budget, later, Duration::from_micros(1)), 50);
    }
}
