//! Whether something that the job depends on (Redis, Kafka, the checkpoint store) answers.
//!
//! Owns: since when it has not answered and why, and when a log line about that is due. Does not own: finding out, and
//! the wording of the log lines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windrow_engine::{Clock, SystemClock};

/// Between two log lines about the same outage.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// An outage that is not over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DependencyOutage {
    /// When it began, in epoch milliseconds of the wall clock.
    pub since_ms: i64,
    /// How long it has lasted.
    pub duration: Duration,
    /// The latest reason.
    pub reason: String,
}

/// A log line that is due about an outage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutageNotice {
    /// The outage has just begun.
    Began,
    /// The outage has lasted this long, and the last log line is old.
    Continues(Duration),
}

/// Tracks the outages of one dependency.
#[derive(Default, Debug)]
pub struct OutageTracker {
    ongoing: Option<OngoingOutage>,
}

#[derive(Debug)]
struct OngoingOutage {
    since_ms: i64,
    began: Instant,
    last_notice: Instant,
    reason: String,
}

impl OutageTracker {
    /// Records an attempt that failed because of `reason`. Returns the log line that is due: at the first failure, and
    /// every 30 s while the outage lasts.
    pub fn record_failure(&mut self, reason: &str) -> Option<OutageNotice> {
        let now = Instant::now();
        match &mut self.ongoing {
            None => {
                let (since_ms, reason) = (SystemClock::start().wall_now_ms(), reason.to_owned());
                self.ongoing = Some(OngoingOutage { since_ms, began: now, last_notice: now, reason });
                Some(OutageNotice::Began)
            }
            Some(ongoing) => {
                if ongoing.reason != reason {
                    reason.clone_into(&mut ongoing.reason);
                }
                if now - ongoing.last_notice < LOG_INTERVAL {
                    return None;
                }
                ongoing.last_notice = now;
                Some(OutageNotice::Continues(now - ongoing.began))
            }
        }
    }

    /// Records a successful attempt. Returns how long the outage that it ends has lasted.
    pub fn record_success(&mut self) -> Option<Duration> {
        self.ongoing.as_ref()?; // called for every record
        Some(self.ongoing.take()?.began.elapsed())
    }

    /// Returns the outage that is not over.
    #[must_use]
    pub fn outage(&self) -> Option<DependencyOutage> {
        let OngoingOutage { since_ms, began, reason, .. } = self.ongoing.as_ref()?;
        Some(DependencyOutage { since_ms: *since_ms, duration: began.elapsed(), reason: reason.clone() })
    }
}

/// An [`OutageTracker`] that is shared: clones show the same dependency.
#[derive(Clone, Debug, Default)]
pub struct Reachability(Arc<Mutex<OutageTracker>>);

impl Reachability {
    /// Records an attempt that failed because of `reason`.
    pub fn mark_unreachable(&self, reason: &str) {
        self.0.lock().record_failure(reason);
    }

    /// Records a successful attempt.
    pub fn mark_reachable(&self) {
        self.0.lock().record_success();
    }

    /// Returns the outage that is not over; `None` while the dependency answers.
    #[must_use]
    pub fn outage(&self) -> Option<DependencyOutage> {
        self.0.lock().outage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_when_it_begins_and_remembers_the_latest_reason() {
        let mut tracker = OutageTracker::default();
        assert_eq!((tracker.record_success(), tracker.outage()), (None, None));
        assert_eq!(tracker.record_failure("refused"), Some(OutageNotice::Began));
        assert_eq!(tracker.record_failure("no answer in time"), None);
        assert_eq!(tracker.outage().expect("not over").reason, "no answer in time");
        assert!(tracker.record_success().is_some());
        assert_eq!((tracker.record_success(), tracker.outage()), (None, None));
        assert_eq!(tracker.record_failure("refused"), Some(OutageNotice::Began));
    }
}
