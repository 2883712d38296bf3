//! Outages of the systems that a job depends on: Redis, Kafka and the checkpoint store.
//!
//! Owns: the start and the latest reason of an outage, and the time of its next log line. Does not own: the detection
//! of failures, and the wording of the log lines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windrow_engine::{Clock, SystemClock};

/// The shortest time between two log lines about the same outage.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The time without an answer after which a call counts as an outage.
const MAX_CALL_SILENCE: Duration = Duration::from_secs(10);

/// An ongoing outage of a system that the job depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DependencyOutage {
    /// The start of the outage, in epoch milliseconds of the wall clock.
    pub began_at_ms: i64,
    /// The time since the start of the outage.
    pub duration: Duration,
    /// The reason why the latest attempt to use the system failed.
    pub latest_reason: String,
}

/// The kind of log line that the caller must now write about an outage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutageNotice {
    /// The outage began with this failed attempt.
    Began,
    /// The outage continues, and the last log line is at least 30 s old. The value is the time since the start of the
    /// outage.
    Continues(Duration),
}

/// Tracks the outages of one system. Callers report each failed and each successful attempt to use the system.
#[derive(Default, Debug)]
pub struct OutageTracker {
    ongoing_outage: Option<TrackedOutage>,
}

#[derive(Debug)]
struct TrackedOutage {
    began_at_ms: i64,
    began_instant: Instant,
    last_notice_at: Instant,
    latest_reason: String,
}

impl OutageTracker {
    /// Records that an attempt to use the system failed because of `reason`. If the caller must now write a log line,
    /// returns the kind of this line. A line is due at the first failure of an outage. Later lines are due at intervals
    /// of at least 30 s.
    pub fn record_failure(&mut self, reason: &str) -> Option<OutageNotice> {
        let now = Instant::now();
        match &mut self.ongoing_outage {
            None => {
                let (since_ms, reason) = (SystemClock::start().wall_now_ms(), reason.to_owned());
                self.ongoing_outage = Some(TrackedOutage {
                    began_at_ms: since_ms,
                    began_instant: now,
                    last_notice_at: now,
                    latest_reason: reason,
                });
                Some(OutageNotice::Began)
            }
            Some(ongoing) => {
                if ongoing.latest_reason != reason {
                    reason.clone_into(&mut ongoing.latest_reason);
                }
                if now - ongoing.last_notice_at < LOG_INTERVAL {
                    return None;
                }
                ongoing.last_notice_at = now;
                Some(OutageNotice::Continues(now - ongoing.began_instant))
            }
        }
    }

    /// Records that an attempt to use the system succeeded. If this success ends an outage, returns the duration of the
    /// outage; otherwise returns `None`.
    pub fn record_success(&mut self) -> Option<Duration> {
        // Most calls return here, because no outage is ongoing.
        self.ongoing_outage.as_ref()?;
        Some(self.ongoing_outage.take()?.began_instant.elapsed())
    }

    /// Returns the ongoing outage; `None` while the system responds.
    #[must_use]
    pub fn ongoing_outage(&self) -> Option<DependencyOutage> {
        let TrackedOutage { began_at_ms: since_ms, began_instant: began, latest_reason: reason, .. } =
            self.ongoing_outage.as_ref()?;
        Some(DependencyOutage { began_at_ms: *since_ms, duration: began.elapsed(), latest_reason: reason.clone() })
    }
}

/// An [`OutageTracker`] for several threads. All clones track the same system.
#[derive(Clone, Debug, Default)]
pub struct SharedOutageTracker {
    tracker: Arc<Mutex<OutageTracker>>,
    /// The start of each call that has no answer yet, by the number of the call.
    pending_calls: Arc<Mutex<BTreeMap<u64, Instant>>>,
}

/// A call of a system that has no answer yet. Dropping it ends the call.
#[derive(Debug)]
pub struct PendingCall {
    number: u64,
    pending_calls: Arc<Mutex<BTreeMap<u64, Instant>>>,
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        self.pending_calls.lock().remove(&self.number);
    }
}

impl SharedOutageTracker {
    /// Records that an attempt to use the system failed because of `reason`.
    pub fn mark_unreachable(&self, reason: &str) {
        self.tracker.lock().record_failure(reason);
    }

    /// Records that an attempt to use the system succeeded.
    pub fn mark_reachable(&self) {
        self.tracker.lock().record_success();
    }

    /// Notes that a call of the system begins. The caller drops the value when the call has ended.
    #[must_use]
    pub fn begin_call(&self) -> PendingCall {
        let mut calls = self.pending_calls.lock();
        let number = calls.last_key_value().map_or(0, |(last, _)| last + 1);
        calls.insert(number, Instant::now());
        PendingCall { number, pending_calls: Arc::clone(&self.pending_calls) }
    }

    /// Returns the ongoing outage; `None` while the system responds. A call without an answer for ten seconds is
    /// an outage too: a system that hangs reports no failure.
    #[must_use]
    pub fn ongoing_outage(&self) -> Option<DependencyOutage> {
        self.tracker.lock().ongoing_outage().or_else(|| {
            let duration = self.pending_calls.lock().values().map(Instant::elapsed).max()?;
            (duration >= MAX_CALL_SILENCE).then(|| DependencyOutage {
                began_at_ms: SystemClock::start().wall_now_ms() - i64::try_from(duration.as_millis()).unwrap_or(0),
                duration,
                latest_reason: format!("a call has no answer after {} s", duration.as_secs()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_answer_is_an_outage() {
        let shared = SharedOutageTracker::default();
        let (first, second) = (shared.begin_call(), shared.begin_call());
        assert_eq!(shared.ongoing_outage(), None);
        let begun = Instant::now().checked_sub(MAX_CALL_SILENCE).expect("the machine runs for longer");
        shared.pending_calls.lock().insert(first.number, begun);
        assert_eq!(shared.ongoing_outage().expect("an outage").latest_reason, "a call has no answer after 10 s");
        drop(first);
        assert_eq!(shared.ongoing_outage(), None);
        drop(second);
        assert!(shared.pending_calls.lock().is_empty());
    }

    #[test]
    fn an_outage_is_logged_when_it_begins_and_remembers_the_latest_reason() {
        let mut tracker = OutageTracker::default();
        assert_eq!((tracker.record_success(), tracker.ongoing_outage()), (None, None));
        assert_eq!(tracker.record_failure("refused"), Some(OutageNotice::Began));
        assert_eq!(tracker.record_failure("no answer in time"), None);
        assert_eq!(tracker.ongoing_outage().expect("not over").latest_reason, "no answer in time");
        assert!(tracker.record_success().is_some());
        assert_eq!((tracker.record_success(), tracker.ongoing_outage()), (None, None));
        assert_eq!(tracker.record_failure("refused"), Some(OutageNotice::Began));
    }
}
