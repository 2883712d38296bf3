//! Telling people that something is away, without telling them a hundred times a second.

use std::time::{Duration, Instant};

/// How often an outage that goes on is mentioned.
const MENTION_EVERY: Duration = Duration::from_secs(30);

/// Remembers when something was last complained about.
#[derive(Debug, Default)]
pub(super) struct Outage {
    mentioned: Option<Instant>,
}

impl Outage {
    /// Whether now is the time to mention it: at the first sign of it, and now and then while it lasts.
    pub(super) fn due(&mut self) -> bool {
        let due = self.mentioned.is_none_or(|at| at.elapsed() >= MENTION_EVERY);
        if due {
            self.mentioned = Some(Instant::now());
        }
        due
    }

    /// Whether an outage that was mentioned has just ended.
    pub(super) fn over(&mut self) -> bool {
        self.mentioned.take().is_some()
    }
}
