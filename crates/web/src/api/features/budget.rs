//! How fast pages may look through Redis, all together.

use std::time::{Duration, Instant};

/// Steps that may be taken at once, after a pause: 50,000 keys, so that a small database is looked through in no time.
const BURST_STEPS: f64 = 50.0;
/// Steps a second from then on, while the job keeps up: about five percent of what a Redis can do (a step was measured at
/// one millisecond).
const STEPS_PER_SECOND: f64 = 50.0;
/// And while it does not: what Redis can do is the job's.
const STEPS_PER_SECOND_BEHIND: f64 = 5.0;

/// What is left to spend (a token bucket).
pub(super) struct ScanBudget {
    available_steps: f64,
    steps_per_second: f64,
    updated_at: Instant,
}

impl ScanBudget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { available_steps: BURST_STEPS, steps_per_second: STEPS_PER_SECOND, updated_at: now }
    }

    /// Whether the job keeps up.
    pub(super) const fn set_rate(&mut self, keeps_up: bool) {
        self.steps_per_second = if keeps_up { STEPS_PER_SECOND } else { STEPS_PER_SECOND_BEHIND };
    }

    /// Spends a step. Where there is none left: after how long to ask again.
    pub(super) fn try_take_step(&mut self, now: Instant) -> Result<(), Duration> {
        let earned = now.saturating_duration_since(self.updated_at).as_secs_f64() * self.steps_per_second;
        self.available_steps = (self.available_steps + earned).min(BURST_STEPS);
        self.updated_at = now;
        if self.available_steps < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.available_steps) / self.steps_per_second));
        }
        self.available_steps -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps taken within `length` by somebody who waits as told.
    fn count_steps(budget: &mut ScanBudget, mut now: Instant, length: Duration) -> u32 {
        let (end, mut steps) = (now + length, 0);
        while now < end {
            match budget.try_take_step(now) {
                Ok(()) => steps += 1,
                Err(wait) => now += wait.max(Duration::from_micros(1)),
            }
        }
        steps
    }

    #[test]
    fn a_burst_and_then_a_steady_rate() {
        let began = Instant::now();
        let mut budget = ScanBudget::new(began);
        assert_eq!(count_steps(&mut budget, began, Duration::from_micros(1)), 50);
        let minute = Duration::from_secs(60);
        assert!((2_998..=3_001).contains(&count_steps(&mut budget, began, minute)));
        budget.set_rate(false);
        assert!((298..=301).contains(&count_steps(&mut budget, began + minute, minute)));
        // An hour later there is a burst again, not an hour's worth.
        let later = began + 60 * minute;
        assert_eq!(count_steps(&mut budget, later, Duration::from_micros(1)), 50);
    }
}
