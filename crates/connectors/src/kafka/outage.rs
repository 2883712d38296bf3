//! How often an outage is logged.

use std::time::{Duration, Instant};

/// The time between two log lines about the same outage.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// Decides which attempts of an outage are logged.
#[derive(Debug, Default)]
pub(super) struct OutageReporter {
    reported_at: Option<Instant>,
}

impl OutageReporter {
    /// Returns whether to log now: at the first failure, and once per interval while the outage lasts.
    pub(super) fn should_report(&mut self) -> bool {
        let due = self.reported_at.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
        if due {
            self.reported_at = Some(Instant::now());
        }
        due
    }

    /// Ends the outage, and returns whether it was logged.
    pub(super) fn take_recovery(&mut self) -> bool {
        self.reported_at.take().is_some()
    }
}
