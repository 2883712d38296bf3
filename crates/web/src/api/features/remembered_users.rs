//! The users that requests asked for recently, with the known keys of their rows.
//!
//! Owns: the choice of remembered users, their keys, and the state of their searches. Does not own: the searches
//! (`key_search`).
//! Invariants: (1) The number of users is limited, and each has at most one search, which ends when its user is
//! forgotten. (2) A user that was requested recently is not forgotten to make room for another. (3) A search counts as
//! complete only after a scan of all keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use windrow_connectors::redis::{RowKey, StoredRow};
use windrow_core::ViewId;

/// The largest number of remembered users.
pub(super) const REMEMBERED_USERS_MAX: usize = 64;
/// The largest number of remembered keys per view. The keys of the newest windows are kept.
const KEYS_PER_VIEW_MAX: usize = 200;
/// The shortest time between the beginnings of two searches for a user.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);
/// A search ends if no request has asked for the user for this long. The next request starts a new search.
const UNREQUESTED_USER_TIMEOUT: Duration = Duration::from_secs(10);

/// The remembered users. Clones of this handle share the users.
#[derive(Clone, Default)]
pub(super) struct SharedUsers(Arc<Mutex<RememberedUsers>>);

impl SharedUsers {
    pub(super) fn lock(&self) -> MutexGuard<'_, RememberedUsers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub(super) struct RememberedUsers {
    users: HashMap<String, UserSearchState>,
    next_search_number: u64,
}

struct UserSearchState {
    row_keys_by_view: BTreeMap<ViewId, BTreeSet<RowKey>>,
    last_requested_at: Instant,
    last_search_began_at: Option<Instant>,
    active_search: Option<ActiveSearch>,
    last_search_failure: Option<String>,
    search_progress: watch::Sender<SearchProgress>,
}

/// The progress of the searches for a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SearchProgress {
    /// No search has ended.
    Begun,
    /// All searches that have ended failed.
    Failed,
    /// At least one search has scanned all keys of Redis.
    Complete,
}

/// The identity of a search. It is invalid after the user is forgotten or another search has begun.
#[derive(Clone, Debug)]
pub(super) struct SearchId {
    pub(super) user: String,
    search_number: u64,
}

/// The result of a search.
#[derive(Debug)]
pub(super) enum SearchOutcome {
    /// The search scanned all keys of Redis.
    Complete,
    /// The search stopped early, because no request asks for the user any more.
    Abandoned,
    /// Redis returned this error.
    Failed(String),
}

/// A search that waits for a permit or is scanning.
struct ActiveSearch {
    search_number: u64,
    /// The task that waits for the permit. The task ends when the scan begins.
    waiting_task: AbortHandle,
}

impl Drop for ActiveSearch {
    fn drop(&mut self) {
        self.waiting_task.abort();
    }
}

/// The outcome of a request that was recorded.
pub(super) struct NotedRequest {
    /// The progress of the user's searches, so that the request can wait for the first result.
    pub(super) progress: watch::Receiver<SearchProgress>,
    /// Whether the caller must begin a search now.
    pub(super) is_search_due: bool,
}

/// The known keys of a user's rows.
pub(super) struct KnownKeys {
    /// The keys by view, oldest window first.
    pub(super) keys: Vec<RowKey>,
    /// Whether a search has scanned all keys of Redis. A pause of ten seconds in the requests for the user resets this
    /// value.
    pub(super) is_search_complete: bool,
    /// The reason of the last search's failure.
    pub(super) search_failure: Option<String>,
}

impl RememberedUsers {
    /// Records that a request asks for `user`, and adds `known_keys`. Returns `None` if the list is full of users that
    /// were requested recently.
    pub(super) fn note_request(&mut self, user: &str, known_keys: &[RowKey], now: Instant) -> Option<NotedRequest> {
        if !self.users.contains_key(user) && self.users.len() >= REMEMBERED_USERS_MAX {
            self.forget_least_recent_user(now)?;
        }
        let state = self.users.entry(user.to_owned()).or_insert_with(|| UserSearchState::new(now));
        if now - state.last_requested_at >= UNREQUESTED_USER_TIMEOUT {
            // Other instances may have written new rows in the meantime, even in the part that a running search has
            // already scanned.
            state.active_search = None;
            state.last_search_failure = None;
            state.search_progress.send_replace(SearchProgress::Begun);
        }
        state.last_requested_at = now;
        state.add_keys(known_keys.iter().cloned());
        let is_search_due = state.active_search.is_none()
            && state.last_search_began_at.is_none_or(|began| now - began >= SEARCH_INTERVAL);
        Some(NotedRequest { progress: state.search_progress.subscribe(), is_search_due })
    }

    /// Forgets the user whose last request is the oldest. Returns `None` if that request is too recent.
    fn forget_least_recent_user(&mut self, now: Instant) -> Option<()> {
        let (user, state) = self.users.iter().min_by_key(|(_, state)| state.last_requested_at)?;
        if now - state.last_requested_at < UNREQUESTED_USER_TIMEOUT {
            return None;
        }
        let user = user.clone();
        self.users.remove(&user);
        Some(())
    }

    /// Begins a search for a remembered user. `spawn` must start the task that waits for the search permit.
    pub(super) fn begin_search(&mut self, user: &str, now: Instant, spawn: impl FnOnce(SearchId) -> AbortHandle) {
        let Some(state) = self.users.get_mut(user) else { return };
        let number = self.next_search_number;
        self.next_search_number += 1;
        state.last_search_began_at = Some(now);
        let waiting_task = spawn(SearchId { user: user.to_owned(), search_number: number });
        state.active_search = Some(ActiveSearch { search_number: number, waiting_task });
    }

    /// Returns whether requests still ask for the user of `search`.
    pub(super) fn is_still_requested(&mut self, search: &SearchId) -> bool {
        self.state_of_active_search(search).is_some_and(|state| state.is_still_requested())
    }

    /// Adds the keys that `search` found. Clears the last failure, because Redis has answered.
    pub(super) fn add_found_keys(&mut self, search: &SearchId, keys: Vec<RowKey>) {
        if let Some(state) = self.state_of_active_search(search) {
            state.add_keys(keys);
            state.last_search_failure = None;
        }
    }

    pub(super) fn record_search_end(&mut self, search: &SearchId, outcome: SearchOutcome) {
        let Some(state) = self.state_of_active_search(search) else { return };
        state.active_search = None;
        match outcome {
            SearchOutcome::Abandoned => state.last_search_began_at = None,
            SearchOutcome::Complete => {
                state.last_search_failure = None;
                state.search_progress.send_replace(SearchProgress::Complete);
            }
            SearchOutcome::Failed(reason) => {
                state.last_search_failure = Some(reason);
                if *state.search_progress.borrow() == SearchProgress::Begun {
                    state.search_progress.send_replace(SearchProgress::Failed);
                }
            }
        }
    }

    pub(super) fn known_keys(&self, user: &str) -> Option<KnownKeys> {
        let state = self.users.get(user)?;
        Some(KnownKeys {
            keys: state.row_keys_by_view.values().flatten().cloned().collect(),
            is_search_complete: *state.search_progress.borrow() == SearchProgress::Complete,
            search_failure: state.last_search_failure.clone(),
        })
    }

    /// Forgets those of `read_keys` for which `rows` contains no row.
    pub(super) fn forget_missing_keys(&mut self, user: &str, read_keys: &[RowKey], rows: &[StoredRow]) {
        let existing: BTreeSet<&[u8]> = rows.iter().map(|row| &*row.redis_key).collect();
        if let Some(state) = self.users.get_mut(user) {
            for key in read_keys.iter().filter(|key| !existing.contains(&*key.redis_key)) {
                state.row_keys_by_view.entry(key.view).or_default().remove(key);
            }
        }
    }

    /// Returns the state of the user of `search`, or `None` if the search is invalid.
    fn state_of_active_search(&mut self, search: &SearchId) -> Option<&mut UserSearchState> {
        let state = self.users.get_mut(&search.user)?;
        let is_current =
            state.active_search.as_ref().is_some_and(|active| active.search_number == search.search_number);
        is_current.then_some(state)
    }
}

impl UserSearchState {
    fn new(now: Instant) -> Self {
        let (search_progress, _) = watch::channel(SearchProgress::Begun);
        let (row_keys_by_view, last_search_began_at, active_search, last_search_failure) =
            (BTreeMap::new(), None, None, None);
        Self {
            row_keys_by_view,
            last_requested_at: now,
            last_search_began_at,
            active_search,
            last_search_failure,
            search_progress,
        }
    }

    fn is_still_requested(&self) -> bool {
        self.last_requested_at.elapsed() < UNREQUESTED_USER_TIMEOUT
    }

    fn add_keys(&mut self, keys: impl IntoIterator<Item = RowKey>) {
        for key in keys {
            let of_view = self.row_keys_by_view.entry(key.view).or_default();
            of_view.insert(key);
            if of_view.len() > KEYS_PER_VIEW_MAX {
                of_view.pop_first();
            }
        }
    }
}
