//! The sessions of browsers that are logged in. After a login, a browser sends the session cookie instead of the token.
//!
//! Owns: the ids and the lifetimes of sessions, in memory. So a logout ends a session for each copy of its cookie,
//! and a restart of the process ends all sessions.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::event_stream_end::wait_for_signal;
use crate::random::random_hex_digits;

/// The time for which a login is valid.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The largest number of sessions at the same time. One more login ends the oldest session.
const MAX_SESSIONS: usize = 1_000;
/// The number of hexadecimal digits of a session's id: 128 random bits.
const SESSION_ID_DIGITS: usize = 32;

/// The sessions that have neither ended nor expired.
#[derive(Default)]
pub(super) struct LoginSessions(Mutex<HashMap<String, LoginSession>>);

struct LoginSession {
    began_at: Instant,
    /// Dropping this value tells all answers in progress that the session has ended.
    end_signal: watch::Sender<bool>,
}

/// Waits for the end of one session.
#[derive(Debug)]
pub(super) struct SessionEnd {
    /// Its sender is dropped at the logout.
    end_signal: watch::Receiver<bool>,
    expires_at: Instant,
}

impl SessionEnd {
    /// Waits until the session has ended or expired.
    pub(super) async fn wait(mut self) {
        let _ = timeout_at(self.expires_at, wait_for_signal(&mut self.end_signal)).await;
    }
}

impl LoginSessions {
    /// Begins a session, and returns its id.
    ///
    /// # Errors
    /// When the operating system returns no random numbers.
    pub(super) fn begin_session(&self) -> Result<String, getrandom::Error> {
        self.begin_session_at(Instant::now())
    }

    fn begin_session_at(&self, now: Instant) -> Result<String, getrandom::Error> {
        let id = random_hex_digits(SESSION_ID_DIGITS)?;
        let mut sessions = self.0.lock();
        sessions.retain(|_, session| !session.has_expired(now));
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began_at).map(|(id, _)| id.clone());
            oldest.map(|id| sessions.remove(&id));
        }
        sessions.insert(id.clone(), LoginSession { began_at: now, end_signal: watch::Sender::new(false) });
        Ok(id)
    }

    /// Returns the end of session `id`, which lies in the future. Returns `None` if the session has ended or expired, or
    /// never existed.
    pub(super) fn subscribe_to_end(&self, id: &str) -> Option<SessionEnd> {
        self.subscribe_to_end_at(id, Instant::now())
    }

    fn subscribe_to_end_at(&self, id: &str, now: Instant) -> Option<SessionEnd> {
        let sessions = self.0.lock();
        let session = sessions.get(id).filter(|session| !session.has_expired(now))?;
        let expires_at = session.began_at + SESSION_LIFETIME;
        Some(SessionEnd { end_signal: session.end_signal.subscribe(), expires_at })
    }

    /// Ends session `id`, if it exists.
    pub(super) fn end_session(&self, id: &str) {
        self.0.lock().remove(id);
    }
}

impl LoginSession {
    fn has_expired(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began_at) >= SESSION_LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_until_it_is_ended_or_expires() {
        let (sessions, now) = (LoginSessions::default(), Instant::now());
        let (one, other) =
            (sessions.begin_session_at(now).expect("an id"), sessions.begin_session_at(now).expect("an id"));
        assert!(one.len() == SESSION_ID_DIGITS && one != other);
        let end = sessions.subscribe_to_end_at(&one, now).expect("a session");
        assert!(end.end_signal.has_changed().is_ok());
        sessions.end_session(&one);
        assert!(end.end_signal.has_changed().is_err(), "answers in progress are told");
        assert!(sessions.subscribe_to_end_at(&one, now).is_none());
        let last = SESSION_LIFETIME.checked_sub(Duration::from_millis(1)).expect("positive");
        assert!(sessions.subscribe_to_end_at(&other, now + last).is_some());
        assert!(sessions.subscribe_to_end_at(&other, now + SESSION_LIFETIME).is_none());
        for unknown in ["", "0", &"0".repeat(SESSION_ID_DIGITS)] {
            assert!(sessions.subscribe_to_end_at(unknown, now).is_none(), "{unknown}");
        }
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let (sessions, now) = (LoginSessions::default(), Instant::now());
        let begin = |ms: u64| sessions.begin_session_at(now + Duration::from_millis(ms)).expect("an id");
        let ids: Vec<String> = (0..=MAX_SESSIONS as u64).map(begin).collect();
        assert_eq!(sessions.0.lock().len(), MAX_SESSIONS);
        assert!(sessions.subscribe_to_end_at(&ids[0], now).is_none(), "the oldest session has ended");
        assert!(ids[1..].iter().all(|id| sessions.subscribe_to_end_at(id, now).is_some()));
        let later = now + SESSION_LIFETIME + Duration::from_secs(60);
        sessions.begin_session_at(later).expect("an id");
        assert_eq!(sessions.0.lock().len(), 1, "expired sessions are forgotten");
    }
}
