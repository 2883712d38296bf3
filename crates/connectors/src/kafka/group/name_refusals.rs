//! How long a member tries to join with a static name that its group refuses.
//!
//! With the group protocol `consumer`, a group refuses a static name while it has a member with this name. After a kill,
//! that member is the one of the process that was killed, and the group removes it when its session has timed out. If the
//! group still refuses the name afterwards, the member belongs to another process, which keeps its session alive.

use std::time::{Duration, Instant};

/// The time between two attempts to join.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How much longer than a session the attempts continue. The broker may be late in removing a member.
const MARGIN_AFTER_SESSION: Duration = Duration::from_secs(10);
/// A refusal this long after the last one is the first of a new series: Kafka did not answer in between. It is longer than
/// a consumer takes to close, and to get an answer from a busy broker.
const SERIES_GAP: Duration = Duration::from_secs(20);

/// The refusals of one member's name.
#[derive(Debug, Default)]
pub(super) struct NameRefusals {
    series: Option<RefusalSeries>,
}

#[derive(Debug)]
struct RefusalSeries {
    first_at: Instant,
    last_at: Instant,
    timeout: Duration,
}

/// What the member does after a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RefusalVerdict {
    RetryAt {
        join_at: Instant,
        /// How long the member will try; `None` if this is not the first refusal of a series.
        first_refusal_timeout: Option<Duration>,
    },
    /// Another process uses the name.
    GiveUp,
}

impl NameRefusals {
    /// Notes that the group has accepted the name. The next refusal is the first of a new series: the member that it is
    /// about has joined since.
    pub(super) fn end_series(&mut self) {
        self.series = None;
    }

    /// Notes a refusal at `now`. `fetch_session_timeout` returns the session timeout of the group.
    pub(super) fn note_refusal(
        &mut self,
        now: Instant,
        fetch_session_timeout: impl FnOnce() -> Duration,
    ) -> RefusalVerdict {
        let join_at = now + RETRY_INTERVAL;
        match &mut self.series {
            Some(series) if now.saturating_duration_since(series.last_at) < SERIES_GAP => {
                series.last_at = now;
                if now.saturating_duration_since(series.first_at) < series.timeout {
                    RefusalVerdict::RetryAt { join_at, first_refusal_timeout: None }
                } else {
                    RefusalVerdict::GiveUp
                }
            }
            _ => {
                let timeout = fetch_session_timeout() + MARGIN_AFTER_SESSION;
                self.series = Some(RefusalSeries { first_at: now, last_at: now, timeout });
                RefusalVerdict::RetryAt { join_at, first_refusal_timeout: Some(timeout) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(45);

    #[test]
    fn a_member_gives_up_when_a_session_and_the_margin_are_over() {
        let mut refusals = NameRefusals::default();
        let began = Instant::now();
        let first = refusals.note_refusal(began, || SESSION);
        let timeout = Some(Duration::from_secs(55));
        assert_eq!(
            first,
            RefusalVerdict::RetryAt { join_at: began + Duration::from_secs(1), first_refusal_timeout: timeout }
        );
        for second in 1..55 {
            let now = began + Duration::from_secs(second);
            let verdict = refusals.note_refusal(now, || unreachable!("it is known"));
            let join_at = now + Duration::from_secs(1);
            assert_eq!(verdict, RefusalVerdict::RetryAt { join_at, first_refusal_timeout: None }, "{second}");
        }
        let verdict = refusals.note_refusal(began + Duration::from_secs(55), || unreachable!("it is known"));
        assert_eq!(verdict, RefusalVerdict::GiveUp);
    }

    #[test]
    fn a_refusal_after_the_name_was_accepted_begins_a_new_series() {
        let mut refusals = NameRefusals::default();
        let began = Instant::now();
        refusals.note_refusal(began, || SESSION);
        refusals.end_series();
        let later = began + Duration::from_secs(10);
        let verdict = refusals.note_refusal(later, || SESSION);
        let timeout = Some(Duration::from_secs(55));
        assert_eq!(
            verdict,
            RefusalVerdict::RetryAt { join_at: later + Duration::from_secs(1), first_refusal_timeout: timeout }
        );
    }

    #[test]
    fn a_refusal_long_after_the_last_one_begins_a_new_series() {
        let mut refusals = NameRefusals::default();
        let began = Instant::now();
        refusals.note_refusal(began, || SESSION);
        let later = began + Duration::from_secs(3_600);
        let verdict = refusals.note_refusal(later, || Duration::from_secs(6));
        let timeout = Some(Duration::from_secs(16));
        assert_eq!(
            verdict,
            RefusalVerdict::RetryAt { join_at: later + Duration::from_secs(1), first_refusal_timeout: timeout }
        );
    }
}
