//! Remembers the users that HTTP requests asked for recently, and the known Redis keys of these users' rows.
//!
//! Owns: the set of remembered users, the known keys of each user's rows, and the state of the search for each user's
//! keys. Does not own: the scan of Redis (`key_search`).
//! Invariants: (1) The number of remembered users is limited. (2) Each user has at most one active search. Forgetting
//! the user ends this search. (3) If an HTTP request asked for a user in the last ten seconds, this user is not
//! forgotten. (4) A search counts as complete only after the search has scanned all keys of Redis.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use windrow_connectors::redis::{RowKey, StoredRow};
use windrow_core::ViewId;

/// The largest number of remembered users.
pub(super) const MAX_REMEMBERED_USERS: usize = 64;
/// The largest number of remembered Redis keys for one user and one feature view. If more keys are known, only the keys
/// of the newest windows are remembered.
const MAX_KEYS_PER_USER_AND_VIEW: usize = 200;
/// The shortest time from the beginning of one search for a user's keys to the beginning of the next search for them.
const SEARCH_INTERVAL_PER_USER: Duration = Duration::from_secs(1);
/// If no HTTP request asks for a user for this long, the search for the user's keys ends. The next request for the user
/// then begins a new search.
const USER_UNREQUESTED_AFTER: Duration = Duration::from_secs(10);

/// The remembered users, behind a lock. Clones share the same users and the same lock.
#[derive(Clone, Default)]
pub(super) struct SharedRememberedUsers(Arc<Mutex<RememberedUsers>>);

impl SharedRememberedUsers {
    pub(super) fn lock(&self) -> MutexGuard<'_, RememberedUsers> {
        self.0.lock()
    }
}

#[derive(Default)]
pub(super) struct RememberedUsers {
    users: HashMap<String, RememberedUser>,
    next_search_number: u64,
}

struct RememberedUser {
    row_keys_by_view: BTreeMap<ViewId, BTreeSet<RowKey>>,
    last_requested_at: Instant,
    last_search_began_at: Option<Instant>,
    active_search: Option<ActiveSearch>,
    last_search_failure: Option<String>,
    search_progress: watch::Sender<SearchProgress>,
}

/// What the searches for a user's keys have achieved so far. If no HTTP request asks for the user for ten seconds, the
/// next request resets this value to `Begun`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SearchProgress {
    /// No search for the user has failed, and no search has scanned all keys of Redis.
    Begun,
    /// At least one search for the user has failed, and no search has scanned all keys of Redis.
    Failed,
    /// At least one search for the user has scanned all keys of Redis.
    Complete,
}

/// The id of one search for a user's keys. The id is valid only while this search is the user's active search.
#[derive(Clone, Debug)]
pub(super) struct SearchId {
    pub(super) user: String,
    search_number: u64,
}

/// How a search ended.
#[derive(Debug)]
pub(super) enum SearchOutcome {
    /// The search scanned all keys of Redis.
    Complete,
    /// The search stopped early, because no HTTP request had asked for the user for ten seconds.
    Abandoned,
    /// Redis returned this error.
    Failed(String),
}

/// A search for a user's keys that has not ended. The search either waits for a search permit or scans Redis.
struct ActiveSearch {
    search_number: u64,
    /// The task that waits for the search permit. The task ends when the scan begins.
    waiting_task: AbortHandle,
}

impl Drop for ActiveSearch {
    fn drop(&mut self) {
        self.waiting_task.abort();
    }
}

pub(super) struct SearchStatus {
    /// Receives the progress of the searches for the user's keys. The HTTP request waits briefly on this channel for
    /// the first search to end.
    pub(super) search_progress: watch::Receiver<SearchProgress>,
    /// Whether the caller must now begin a search for the user's keys.
    pub(super) is_search_due: bool,
}

/// The known keys of a user's rows.
pub(super) struct KnownKeys {
    /// The keys, ordered by feature view. The keys of a view are ordered by window, oldest first.
    pub(super) row_keys: Vec<RowKey>,
    /// Whether a search for the user's keys has scanned all keys of Redis. After ten seconds without an HTTP request
    /// for the user, earlier searches no longer count.
    pub(super) is_search_complete: bool,
    /// Why the last search for the user's keys failed or could not begin; otherwise `None`.
    pub(super) search_failure: Option<String>,
}

impl RememberedUsers {
    /// Records that an HTTP request asked for `user`. Adds `written_keys`, the keys of rows that this instance recently
    /// wrote for the user, to the user's known keys. Returns `None` and records nothing if requests asked for
    /// [`MAX_REMEMBERED_USERS`] other users in the last ten seconds.
    pub(super) fn record_user_request(
        &mut self,
        user: &str,
        written_keys: &[RowKey],
        now: Instant,
    ) -> Option<SearchStatus> {
        if !self.users.contains_key(user) && self.users.len() >= MAX_REMEMBERED_USERS {
            self.forget_least_recently_requested_user(now)?;
        }
        let state = self.users.entry(user.to_owned()).or_insert_with(|| RememberedUser::new(now));
        if now - state.last_requested_at >= USER_UNREQUESTED_AFTER {
            // Other instances may have written rows for the user after the last request. A search that still runs can
            // miss these rows, because it may already have scanned past their keys. So a new search must begin.
            state.active_search = None;
            state.last_search_failure = None;
            state.search_progress.send_replace(SearchProgress::Begun);
        }
        state.last_requested_at = now;
        state.add_row_keys_keeping_newest(written_keys.iter().cloned());
        let is_search_due = state.active_search.is_none()
            && state.last_search_began_at.is_none_or(|began| now - began >= SEARCH_INTERVAL_PER_USER);
        Some(SearchStatus { search_progress: state.search_progress.subscribe(), is_search_due })
    }

    /// Forgets the user whose last HTTP request is the oldest. If this request is less than ten seconds old, forgets no
    /// user and returns `None`.
    fn forget_least_recently_requested_user(&mut self, now: Instant) -> Option<()> {
        let (user, state) = self.users.iter().min_by_key(|(_, state)| state.last_requested_at)?;
        if now - state.last_requested_at < USER_UNREQUESTED_AFTER {
            return None;
        }
        let user = user.clone();
        self.users.remove(&user);
        Some(())
    }

    /// Begins a search for the keys of `user`. `spawn` receives the id of the search. `spawn` must start the task that
    /// waits for the search permit, and return a handle that aborts this task.
    pub(super) fn begin_search(&mut self, user: &str, now: Instant, spawn: impl FnOnce(SearchId) -> AbortHandle) {
        let Some(state) = self.users.get_mut(user) else { return };
        let number = self.next_search_number;
        self.next_search_number += 1;
        state.last_search_began_at = Some(now);
        let waiting_task = spawn(SearchId { user: user.to_owned(), search_number: number });
        state.active_search = Some(ActiveSearch { search_number: number, waiting_task });
    }

    /// Returns whether `search` is still active, and an HTTP request has asked for its user in the last ten seconds.
    pub(super) fn is_user_still_requested(&mut self, search: &SearchId) -> bool {
        self.find_user_of_active_search(search).is_some_and(|state| state.is_user_still_requested())
    }

    /// Adds `keys`, which `search` found in Redis, to the known keys of the user. Clears the error of an earlier
    /// search, because Redis answers again. If `search` is no longer active, does nothing.
    pub(super) fn add_keys_found_by_search(&mut self, search: &SearchId, keys: Vec<RowKey>) {
        if let Some(state) = self.find_user_of_active_search(search) {
            state.add_row_keys_keeping_newest(keys);
            state.last_search_failure = None;
        }
    }

    pub(super) fn record_search_end(&mut self, search: &SearchId, outcome: SearchOutcome) {
        let Some(state) = self.find_user_of_active_search(search) else { return };
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

    pub(super) fn get_known_keys(&self, user: &str) -> Option<KnownKeys> {
        let state = self.users.get(user)?;
        Some(KnownKeys {
            row_keys: state.row_keys_by_view.values().flatten().cloned().collect(),
            is_search_complete: *state.search_progress.borrow() == SearchProgress::Complete,
            search_failure: state.last_search_failure.clone(),
        })
    }

    /// Forgets the keys of `user` at which Redis no longer holds a row. `read_keys` are the keys that were just read
    /// from Redis, and `rows` are the rows that Redis returned.
    pub(super) fn forget_keys_without_row(&mut self, user: &str, read_keys: &[RowKey], rows: &[StoredRow]) {
        let existing: BTreeSet<&[u8]> = rows.iter().map(|row| &*row.redis_key).collect();
        if let Some(state) = self.users.get_mut(user) {
            for key in read_keys.iter().filter(|key| !existing.contains(&*key.redis_key)) {
                state.row_keys_by_view.entry(key.view).or_default().remove(key);
            }
        }
    }

    /// Returns the user whose keys `search` looks for. Returns `None` if `search` is no longer the active search for
    /// this user's keys.
    fn find_user_of_active_search(&mut self, search: &SearchId) -> Option<&mut RememberedUser> {
        let state = self.users.get_mut(&search.user)?;
        let is_current =
            state.active_search.as_ref().is_some_and(|active| active.search_number == search.search_number);
        is_current.then_some(state)
    }
}

impl RememberedUser {
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

    fn is_user_still_requested(&self) -> bool {
        self.last_requested_at.elapsed() < USER_UNREQUESTED_AFTER
    }

    fn add_row_keys_keeping_newest(&mut self, keys: impl IntoIterator<Item = RowKey>) {
        for key in keys {
            let of_view = self.row_keys_by_view.entry(key.view).or_default();
            of_view.insert(key);
            if of_view.len() > MAX_KEYS_PER_USER_AND_VIEW {
                of_view.pop_first();
            }
        }
    }
}
