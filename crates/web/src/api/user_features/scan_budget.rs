//! Limits the rate at which all searches together scan Redis. A scan step is one `SCAN` command, which covers about
//! 1,000 keys.

use std::time::{Duration, Instant};

use crate::job::JobPace;

/// After a pause, this many scan steps may be taken without waiting. These steps cover about 50,000 keys, so one scan
/// of a smaller database does not wait.
const BURST_SCAN_STEPS: f64 = 50.0;
/// The number of scan steps that become available per second while the job keeps up. One step takes Redis about one
/// millisecond, so the scans take up about five percent of Redis's time.
const SCAN_STEPS_PER_SECOND: f64 = 50.0;
/// The number of scan steps that become available per second while the job is behind. The number is low, so that Redis
/// has time for the rows that the job writes.
const SCAN_STEPS_PER_SECOND_WHILE_BEHIND: f64 = 5.0;

/// A token bucket: each token permits one scan step.
pub(super) struct ScanBudget {
    available_steps: f64,
    steps_per_second: f64,
    updated_at: Instant,
}

/// Whether a scan step may be taken now.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum ScanStepPermission {
    /// The step was taken from the budget.
    Granted,
    /// The budget is empty. The caller may ask for a scan step again after this time.
    RetryAfter(Duration),
}

impl ScanBudget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { available_steps: BURST_SCAN_STEPS, steps_per_second: SCAN_STEPS_PER_SECOND, updated_at: now }
    }

    pub(super) const fn set_rate_for_pace(&mut self, pace: JobPace) {
        self.steps_per_second = match pace {
            JobPace::KeepingUp => SCAN_STEPS_PER_SECOND,
            JobPace::Behind => SCAN_STEPS_PER_SECOND_WHILE_BEHIND,
        };
    }

    pub(super) fn try_take_scan_step(&mut self, now: Instant) -> ScanStepPermission {
        let earned = now.saturating_duration_since(self.updated_at).as_secs_f64() * self.steps_per_second;
        self.available_steps = (self.available_steps + earned).min(BURST_SCAN_STEPS);
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

    /// Returns the number of scan steps that `budget` grants from `now` until `now + length`. The simulated caller
    /// always waits as long as `budget` demands.
    fn count_steps(budget: &mut ScanBudget, mut now: Instant, length: Duration) -> u32 {
        let (end, mut steps) = (now + length, 0);
        while now < end {
            match budget.try_take_scan_step(now) {
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
        budget.set_rate_for_pace(JobPace::Behind);
        assert!((298..=301).contains(&count_steps(&mut budget, began + minute, minute)));
        // After an hour without steps, only one burst is available, not the steps of a whole hour.
        let later = began + 60 * minute;
        assert_eq!(count_steps(&mut budget, later, Duration::from_micros(1)), 50);
    }
}
