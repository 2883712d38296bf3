//! Limits the rate at which all lookups together scan Redis.

use std::time::{Duration, Instant};

use crate::job::JobPace;

/// The number of steps that are available at once after a pause. They cover 50,000 keys, so a small database is
/// searched without a delay.
const BURST_STEPS: f64 = 50.0;
/// The number of steps per second after the burst, while the job keeps up. A step takes about one millisecond, so the
/// scan uses about five percent of the capacity of Redis.
const STEPS_PER_SECOND: f64 = 50.0;
/// The number of steps per second while the job is behind, because the job needs the full capacity of Redis.
const STEPS_PER_SECOND_BEHIND: f64 = 5.0;

/// A token bucket of scan steps.
pub(super) struct ScanBudget {
    available_steps: f64,
    steps_per_second: f64,
    updated_at: Instant,
}

/// The decision whether a step may be taken now.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum ScanStepPermission {
    /// The step was taken from the budget.
    Granted,
    /// The budget is empty. The caller may try again after this time.
    RetryAfter(Duration),
}

impl ScanBudget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { available_steps: BURST_STEPS, steps_per_second: STEPS_PER_SECOND, updated_at: now }
    }

    pub(super) const fn set_rate(&mut self, pace: JobPace) {
        self.steps_per_second = match pace {
            JobPace::KeepingUp => STEPS_PER_SECOND,
            JobPace::Behind => STEPS_PER_SECOND_BEHIND,
        };
    }

    pub(super) fn try_take_step(&mut self, now: Instant) -> ScanStepPermission {
        let earned = now.saturating_duration_since(self.updated_at).as_secs_f64() * self.steps_per_second;
        self.available_steps = (self.available_steps + earned).min(BURST_STEPS);
        self.updated_at = now;
        if self.available_steps < 1.0 {
            return ScanStepPermission::RetryAfter(Duration::from_secs_f64(
                (1.0 - self.available_steps) / self.steps_per_second,
            ));
        }
        self.available_steps -= 1.0;
        ScanStepPermission::Granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of steps within `length` if the caller waits as the budget demands.
    fn count_steps(budget: &mut ScanBudget, mut now: Instant, length: Duration) -> u32 {
        let (end, mut steps) = (now + length, 0);
        while now < end {
            match budget.try_take_step(now) {
                ScanStepPermission::Granted => steps += 1,
                ScanStepPermission::RetryAfter(wait) => now += wait.max(Duration::from_micros(1)),
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
        budget.set_rate(JobPace::Behind);
        assert!((298..=301).contains(&count_steps(&mut budget, began + minute, minute)));
        // An hour later only one burst is available, not an hour of steps.
        let later = began + 60 * minute;
        assert_eq!(count_steps(&mut budget, later, Duration::from_micros(1)), 50);
    }
}
