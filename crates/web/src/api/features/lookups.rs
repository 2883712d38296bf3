//! Asking Redis for a user's rows without being a burden to it.
//!
//! A view whose key names no window has one row. The keys of the others' rows are known from rows written lately, and from
//! looking through all keys of the database: in the background, again and again while somebody looks at that user, as fast
//! as the [`ScanBudget`] of all pages allows. Rows are read by their keys, so what is shown is what Redis holds at that moment.
//!
//! Invariants: at most [`REMEMBERED`] users are known, each with at most one search, which goes with its user; a user that
//! somebody looks at is not forgotten for another; that Redis was looked through is said of whole searches only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use windrow_connectors::redis::{FeatureReader, RowKey, StoredRow, WrittenRow};
use windrow_core::ViewId;

use super::budget::ScanBudget;
use crate::JobServerContext;

/// How many questions Redis is asked at a time.
const ROW_READS_MAX: usize = 4;
/// How many users are searched for at a time.
const SEARCHES_MAX: usize = 2;
/// From the beginning of a search to that of the user's next.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long a page waits for the first search.
const FIRST_SEARCH_TIMEOUT: Duration = Duration::from_millis(500);
/// A search ends when nobody has asked for that user for this long, and whoever asks then begins anew.
const INTEREST_TIMEOUT: Duration = Duration::from_secs(10);
/// Users that are remembered.
const REMEMBERED_USERS: usize = 64;
/// Rows of a view that are shown: those of the newest windows.
const ROWS_PER_VIEW_MAX: usize = 200;
/// How long a page waits for Redis.
const ROW_READ_TIMEOUT: Duration = Duration::from_secs(4);

/// What Redis holds for a user.
pub(super) struct UserRows {
    /// By view, oldest window first.
    pub(super) rows: Vec<StoredRow>,
    /// Whether all of Redis was looked through at least once since somebody began to look at this user.
    pub(super) searched: bool,
    /// Why the last search failed.
    pub(super) failure: Option<String>,
}

/// The questions under way, and which keys users have.
#[derive(Clone)]
pub struct UserRowLookup {
    read_permits: Arc<Semaphore>,
    search_permits: Arc<Semaphore>,
    next_search_number: Arc<AtomicU64>,
    scan_budget: Arc<Mutex<ScanBudget>>,
    users: Arc<Mutex<HashMap<String, UserSearchState>>>,
}

struct UserSearchState {
    keys: BTreeMap<ViewId, BTreeSet<RowKey>>,
    asked_at: Instant,
    search_began_at: Option<Instant>,
    active_search: Option<ActiveSearch>,
    failure: Option<String>,
    progress: watch::Sender<SearchProgress>,
}

/// How far it has come with looking through Redis for a user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SearchProgress {
    /// No search has ended.
    Begun,
    /// None has succeeded.
    Failed,
    /// One has.
    Done,
}

/// A search that waits for its turn or is under way.
struct ActiveSearch {
    number: u64,
    task: AbortHandle,
}

impl Drop for ActiveSearch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Default for UserRowLookup {
    fn default() -> Self {
        Self {
            read_permits: Arc::new(Semaphore::new(ROW_READS_MAX)),
            search_permits: Arc::new(Semaphore::new(SEARCHES_MAX)),
            next_search_number: Arc::default(),
            scan_budget: Arc::new(Mutex::new(ScanBudget::new(Instant::now()))),
            users: Arc::default(),
        }
    }
}

impl UserRowLookup {
    /// The rows of `user`; `written`: those known to be written lately; `keeps_up`: whether
    /// the job does, so that Redis has time to spare.
    ///
    /// # Errors
    /// Why Redis was not asked, or what it answered; without secrets.
    pub(super) async fn find_user_rows(
        &self,
        console: &Arc<JobServerContext>,
        user: &str,
        written: &[WrittenRow],
        keeps_up: bool,
    ) -> Result<UserRows, String> {
        let views = &console.pipeline.sink.redis().views;
        // A view whose key names no window has one row, whose key is known.
        let (keys, searched, failure) = if views.iter().any(|view| view.key.names_window()) {
            self.lock_budget().set_rate(keeps_up);
            self.find_user_keys(console, user, written).await
        } else {
            (Vec::new(), true, None)
        };
        let (questions, console, name) = (Arc::clone(&self.read_permits), Arc::clone(console), user.to_owned());
        let asked = keys.clone();
        let ask = async {
            let permit = questions.acquire_owned().await;
            // Goes on where nobody waits any more, but keeps its place: Redis is never asked by more.
            let read = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                read_user_rows(&console, &name, asked)
            });
            read.await.unwrap_or_else(|error| Err(format!("the question broke down: {error}")))
        };
        let rows = timeout(ROW_READ_TIMEOUT, ask).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))?;
        self.forget_missing_keys(user, &keys, &rows);
        Ok(UserRows { rows, searched, failure })
    }

    /// The keys of `user` as far as they are known, whether all of Redis was looked through for them, and why not.
    async fn find_user_keys(
        &self,
        console: &Arc<JobServerContext>,
        user: &str,
        written: &[WrittenRow],
    ) -> (Vec<RowKey>, bool, Option<String>) {
        let views = &console.pipeline.sink.redis().views;
        let written: Vec<RowKey> =
            written.iter().filter_map(|row| RowKey::parse(views, row.view, user, row.redis_key.as_bytes())).collect();
        if let Some(mut progress) = self.note_interest(console, user, &written) {
            // An error: the user was forgotten.
            let _ =
                timeout(FIRST_SEARCH_TIMEOUT, progress.wait_for(|progress| *progress != SearchProgress::Begun)).await;
        }
        self.known_keys(user).unwrap_or_else(|| {
            let why = format!("{REMEMBERED_USERS} other users are being looked at; it is tried again when fewer are");
            (written, false, Some(why))
        })
    }

    /// Notes that somebody asks for `user`, and begins a search when it is time. `None` where too many are asked for.
    fn note_interest(
        &self,
        console: &Arc<JobServerContext>,
        user: &str,
        written: &[RowKey],
    ) -> Option<watch::Receiver<SearchProgress>> {
        let now = Instant::now();
        let mut users = self.lock_users();
        if !users.contains_key(user) && users.len() >= REMEMBERED_USERS {
            let (longest_ago, known) = users.iter().min_by_key(|(_, known)| known.asked_at)?;
            if now - known.asked_at < INTEREST_TIMEOUT {
                return None;
            }
            let longest_ago = longest_ago.clone();
            users.remove(&longest_ago);
        }
        let known = users.entry(user.to_owned()).or_insert_with(|| UserSearchState::new(now));
        if now - known.asked_at >= INTEREST_TIMEOUT {
            // Others may have written rows since, also where a search that nobody has stopped yet has been already.
            known.active_search = None;
            known.failure = None;
            known.progress.send_replace(SearchProgress::Begun);
        }
        known.asked_at = now;
        known.add_keys(written.iter().cloned());
        let due =
            known.active_search.is_none() && known.search_began_at.is_none_or(|began| now - began >= SEARCH_INTERVAL);
        if due {
            known.search_began_at = Some(now);
            known.active_search = Some(self.begin_search(console, user));
        }
        Some(known.progress.subscribe())
    }

    /// Searches when it is its turn.
    fn begin_search(&self, console: &Arc<JobServerContext>, user: &str) -> ActiveSearch {
        let number = self.next_search_number.fetch_add(1, Ordering::Relaxed);
        let (lookups, console, user) = (self.clone(), Arc::clone(console), user.to_owned());
        let waiting = tokio::spawn(async move {
            let permit = Arc::clone(&lookups.search_permits).acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let ended = lookups.run_search(&console, &user, number);
                lookups.record_search_end(&user, number, ended);
            });
        });
        ActiveSearch { number, task: waiting.abort_handle() }
    }

    /// Looks through Redis once, or until nobody asks any more: then it is `false`.
    fn run_search(&self, console: &JobServerContext, user: &str, number: u64) -> Result<bool, String> {
        let is_wanted = |known: &mut UserSearchState| known.asked_at.elapsed() < INTEREST_TIMEOUT;
        if !self.update_current_search(user, number, is_wanted).unwrap_or(false) {
            return Ok(false);
        }
        let pipeline = &console.pipeline;
        let reader = FeatureReader::open(&pipeline.sink.redis().url, pipeline, user);
        let mut reader = reader.map_err(|error| error.to_string())?;
        let mut wanted = true;
        let step = |keys: Vec<RowKey>| {
            let noted = self.update_current_search(user, number, |known| {
                known.add_keys(keys);
                known.failure = None; // Redis answers (again)
                is_wanted(known)
            });
            wanted = noted.unwrap_or(false);
            if wanted {
                self.wait_for_budget();
            }
            wanted
        };
        self.wait_for_budget();
        reader.scan_windowed_row_keys(step).map_err(|error| error.to_string())?;
        Ok(wanted)
    }

    /// Does `work` with what is known of `user`, unless that was forgotten since this search began.
    fn update_current_search<T>(
        &self,
        user: &str,
        number: u64,
        work: impl FnOnce(&mut UserSearchState) -> T,
    ) -> Option<T> {
        let mut users = self.lock_users();
        let known = users.get_mut(user)?;
        let is_current = known.active_search.as_ref().is_some_and(|search| search.number == number);
        is_current.then(|| work(known))
    }

    fn wait_for_budget(&self) {
        loop {
            let taken = self.lock_budget().try_take_step(Instant::now());
            match taken {
                Ok(()) => return,
                Err(wait) => thread::sleep(wait),
            }
        }
    }

    fn record_search_end(&self, user: &str, number: u64, ended: Result<bool, String>) {
        self.update_current_search(user, number, |known| {
            known.active_search = None;
            match ended {
                Ok(false) => known.search_began_at = None,
                Ok(true) => {
                    known.failure = None;
                    known.progress.send_replace(SearchProgress::Done);
                }
                Err(why) => {
                    known.failure = Some(why);
                    if *known.progress.borrow() == SearchProgress::Begun {
                        known.progress.send_replace(SearchProgress::Failed);
                    }
                }
            }
        });
    }

    /// The keys of `user`, whether all of Redis was looked through for them, and why that failed last.
    fn known_keys(&self, user: &str) -> Option<(Vec<RowKey>, bool, Option<String>)> {
        let users = self.lock_users();
        let known = users.get(user)?;
        let searched = *known.progress.borrow() == SearchProgress::Done;
        Some((known.keys.values().flatten().cloned().collect(), searched, known.failure.clone()))
    }

    /// Those of `asked` that have no row are gone.
    fn forget_missing_keys(&self, user: &str, asked: &[RowKey], rows: &[StoredRow]) {
        let there: BTreeSet<&[u8]> = rows.iter().map(|row| &*row.redis_key).collect();
        if let Some(known) = self.lock_users().get_mut(user) {
            for key in asked.iter().filter(|key| !there.contains(&*key.redis_key)) {
                known.keys.entry(key.view).or_default().remove(key);
            }
        }
    }

    fn lock_budget(&self) -> MutexGuard<'_, ScanBudget> {
        self.scan_budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_users(&self) -> MutexGuard<'_, HashMap<String, UserSearchState>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UserSearchState {
    fn new(now: Instant) -> Self {
        let (progress, _) = watch::channel(SearchProgress::Begun);
        Self {
            keys: BTreeMap::new(),
            asked_at: now,
            search_began_at: None,
            active_search: None,
            failure: None,
            progress,
        }
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

/// Reads the rows of `keys`, and of the views that have one row per user.
fn read_user_rows(console: &JobServerContext, user: &str, mut keys: Vec<RowKey>) -> Result<Vec<StoredRow>, String> {
    let pipeline = &console.pipeline;
    let reader = FeatureReader::open(&pipeline.sink.redis().url, pipeline, user);
    let mut reader = reader.map_err(|error| error.to_string())?;
    keys.extend(reader.fixed_row_keys());
    keys.sort_unstable();
    keys.dedup();
    reader.read_rows(&keys).map_err(|error| error.to_string())
}
