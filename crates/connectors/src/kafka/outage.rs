//! Telling people that something is away, without telling them a hundred times a second.

use std::time::{Duration, Instant};

/// How often an outage that goes on is mentioned.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// Remembers when something was last complained about.
#[derive(Debug, Default)]
pub(super) struct OutageReporter {
    reported_at: Option<Instant>,
}

impl OutageReporter {
    /// Whether now is the time to mention it: at the first sign of it, and now and then while it lasts.
    pub(super) fn should_report(&mut self) -> bool {
        let due = self.reported_at.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
        if due {
            self.reported_at = Some(Instant::now());
        }
        due
    }

    /// Whether an outage that was mentioned has just ended.
    pub(super) fn take_recovery(&mut self) -> bool {
        self.reported_at.take().is_some()
    }
}
