//! The users that are being looked up, with the keys of their rows as far as they are known.
//!
//! Owns: which users are remembered, their keys, and the state of their searches. Does not own: searching (`key_search`).
//! Invariants: (1) at most [`REMEMBERED_USERS`] users are known, each with at most one search, which ends with its user;
//! (2) a user that was asked for recently is not forgotten for another; (3) a search counts as complete only after a whole
//! scan.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use windrow_connectors::redis::{RowKey, StoredRow};
use windrow_core::ViewId;

/// Users that are remembered.
pub(super) const REMEMBERED_USERS: usize = 64;
/// Keys of a view that are kept: those of the newest windows.
const ROWS_PER_VIEW_MAX: usize = 200;
/// The time from the beginning of a search to the beginning of the user's next search.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);
/// A search ends when no request has asked for the user for this long. The next request starts from the beginning.
const INTEREST_TIMEOUT: Duration = Duration::from_secs(10);

/// The remembered users. A handle: clones share the same users.
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
    keys: BTreeMap<ViewId, BTreeSet<RowKey>>,
    asked_at: Instant,
    search_began_at: Option<Instant>,
    active_search: Option<ActiveSearch>,
    failure: Option<String>,
    progress: watch::Sender<SearchProgress>,
}

/// How far the searches for a user have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SearchProgress {
    /// No search has ended.
    Begun,
    /// All searches failed so far.
    Failed,
    /// At least one search scanned all of Redis.
    Complete,
}

/// A search of a user. It is void once the user is forgotten or another search has begun.
#[derive(Clone, Debug)]
pub(super) struct SearchId {
    pub(super) user: String,
    number: u64,
}

/// How a search ended.
#[derive(Debug)]
pub(super) enum SearchOutcome {
    /// It scanned all of Redis.
    Complete,
    /// No request asks for the user any more.
    Abandoned,
    /// Redis failed.
    Failed(String),
}

/// A search that waits for its turn or is scanning.
struct ActiveSearch {
    number: u64,
    /// The task that waits for the turn. It ends when the scan begins.
    waiting_task: AbortHandle,
}

impl Drop for ActiveSearch {
    fn drop(&mut self) {
        self.waiting_task.abort();
    }
}

/// A request that was noted.
pub(super) struct NotedRequest {
    /// The progress of the user's searches, for a request that waits for the first one.
    pub(super) progress: watch::Receiver<SearchProgress>,
    /// Whether a search must begin now.
    pub(super) is_search_due: bool,
}

/// The keys known of a user.
pub(super) struct KnownKeys {
    /// By view, oldest window first.
    pub(super) keys: Vec<RowKey>,
    /// Whether all of Redis was scanned since requests began to ask for the user.
    pub(super) is_search_complete: bool,
    /// Why the last search failed.
    pub(super) search_failure: Option<String>,
}

impl RememberedUsers {
    /// Notes that a request asks for `user`, with keys that are known already. Returns `None` if requests ask for too many
    /// other users.
    pub(super) fn note_request(&mut self, user: &str, known_keys: &[RowKey], now: Instant) -> Option<NotedRequest> {
        if !self.users.contains_key(user) && self.users.len() >= REMEMBERED_USERS {
            self.forget_least_recent(now)?;
        }
        let state = self.users.entry(user.to_owned()).or_insert_with(|| UserSearchState::new(now));
        if now - state.asked_at >= INTEREST_TIMEOUT {
            // Other instances may have written rows since, also where a search still running has scanned already.
            state.active_search = None;
            state.failure = None;
            state.progress.send_replace(SearchProgress::Begun);
        }
        state.asked_at = now;
        state.add_keys(known_keys.iter().cloned());
        let is_search_due =
            state.active_search.is_none() && state.search_began_at.is_none_or(|began| now - began >= SEARCH_INTERVAL);
        Some(NotedRequest { progress: state.progress.subscribe(), is_search_due })
    }

    /// Forgets the user asked for longest ago, or returns `None` if that was too recently.
    fn forget_least_recent(&mut self, now: Instant) -> Option<()> {
        let (user, state) = self.users.iter().min_by_key(|(_, state)| state.asked_at)?;
        if now - state.asked_at < INTEREST_TIMEOUT {
            return None;
        }
        let user = user.clone();
        self.users.remove(&user);
        Some(())
    }

    /// Begins a search of a remembered user. `spawn` starts the task that waits for the search's turn.
    pub(super) fn begin_search(&mut self, user: &str, now: Instant, spawn: impl FnOnce(SearchId) -> AbortHandle) {
        let Some(state) = self.users.get_mut(user) else { return };
        let number = self.next_search_number;
        self.next_search_number += 1;
        state.search_began_at = Some(now);
        let waiting_task = spawn(SearchId { user: user.to_owned(), number });
        state.active_search = Some(ActiveSearch { number, waiting_task });
    }

    /// Returns whether a request still asks for the user of `search`.
    pub(super) fn is_wanted(&mut self, search: &SearchId) -> bool {
        self.current_state(search).is_some_and(|state| state.is_wanted())
    }

    /// Adds keys that `search` found, which shows that Redis answers.
    pub(super) fn add_found_keys(&mut self, search: &SearchId, keys: Vec<RowKey>) {
        if let Some(state) = self.current_state(search) {
            state.add_keys(keys);
            state.failure = None;
        }
    }

    pub(super) fn record_search_end(&mut self, search: &SearchId, outcome: SearchOutcome) {
        let Some(state) = self.current_state(search) else { return };
        state.active_search = None;
        match outcome {
            SearchOutcome::Abandoned => state.search_began_at = None,
            SearchOutcome::Complete => {
                state.failure = None;
                state.progress.send_replace(SearchProgress::Complete);
            }
            SearchOutcome::Failed(reason) => {
                state.failure = Some(reason);
                if *state.progress.borrow() == SearchProgress::Begun {
                    state.progress.send_replace(SearchProgress::Failed);
                }
            }
        }
    }

    pub(super) fn known_keys(&self, user: &str) -> Option<KnownKeys> {
        let state = self.users.get(user)?;
        Some(KnownKeys {
            keys: state.keys.values().flatten().cloned().collect(),
            is_search_complete: *state.progress.borrow() == SearchProgress::Complete,
            search_failure: state.failure.clone(),
        })
    }

    /// Forgets the keys in `read_keys` for which Redis had no row.
    pub(super) fn forget_missing_keys(&mut self, user: &str, read_keys: &[RowKey], rows: &[StoredRow]) {
        let existing: BTreeSet<&[u8]> = rows.iter().map(|row| &*row.redis_key).collect();
        if let Some(state) = self.users.get_mut(user) {
            for key in read_keys.iter().filter(|key| !existing.contains(&*key.redis_key)) {
                state.keys.entry(key.view).or_default().remove(key);
            }
        }
    }

    /// Returns the state of the search's user, unless the search is void.
    fn current_state(&mut self, search: &SearchId) -> Option<&mut UserSearchState> {
        let state = self.users.get_mut(&search.user)?;
        let is_current = state.active_search.as_ref().is_some_and(|active| active.number == search.number);
        is_current.then_some(state)
    }
}

impl UserSearchState {
    fn new(now: Instant) -> Self {
        let (progress, _) = watch::channel(SearchProgress::Begun);
        let (keys, search_began_at, active_search, failure) = (BTreeMap::new(), None, None, None);
        Self { keys, asked_at: now, search_began_at, active_search, failure, progress }
    }

    fn is_wanted(&self) -> bool {
        self.asked_at.elapsed() < INTEREST_TIMEOUT
    }

    fn add_keys(&mut self, keys: impl IntoIterator<Item = RowKey>) {
        for key in keys {
            let of_view = self.keys.entry(key.view).or_default();
            of_view.insert(key);
            if of_view.len() > ROWS_PER_VIEW_MAX {
                of_view.pop_first();
            }
        }
    }
}
