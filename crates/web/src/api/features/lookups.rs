//! Asking Redis for a user's rows without being a burden to it.
//!
//! A view whose key names no window has one row. The keys of the others' rows are known from rows written lately, and from
//! looking through all keys of the database: in the background, again and again while somebody looks at that user, as fast
//! as the [`Budget`] of all pages allows. Rows are read by their keys, so what is shown is what Redis holds at that moment.
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
use windrow_connectors::redis::{FeatureReader, FoundRow, RowKey, WrittenRow};
use windrow_core::ViewId;

use super::budget::Budget;
use crate::Console;

/// How many questions Redis is asked at a time.
const AT_A_TIME: usize = 4;
/// How many users are searched for at a time.
const SEARCHES: usize = 2;
/// From the beginning of a search to that of the user's next.
const SEARCH_EVERY: Duration = Duration::from_secs(1);
/// How long a page waits for the first search.
const SEARCH_PATIENCE: Duration = Duration::from_millis(500);
/// A search ends when nobody has asked for that user for this long, and whoever asks then begins anew.
const LEFT_AFTER: Duration = Duration::from_secs(10);
/// Users that are remembered.
const REMEMBERED: usize = 64;
/// Rows of a view that are shown: those of the newest windows.
const ROWS_MAX: usize = 200;
/// How long a page waits for Redis.
const PATIENCE: Duration = Duration::from_secs(4);

/// What Redis holds for a user.
pub(super) struct Found {
    /// By view, oldest window first.
    pub(super) rows: Vec<FoundRow>,
    /// Whether all of Redis was looked through at least once since somebody began to look at this user.
    pub(super) searched: bool,
    /// Why the last search failed.
    pub(super) failure: Option<String>,
}

/// The questions under way, and which keys users have.
#[derive(Clone)]
pub struct Lookups {
    questions: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    begun: Arc<AtomicU64>,
    budget: Arc<Mutex<Budget>>,
    users: Arc<Mutex<HashMap<String, Known>>>,
}

struct Known {
    keys: BTreeMap<ViewId, BTreeSet<RowKey>>,
    asked: Instant,
    began: Option<Instant>,
    under_way: Option<Search>,
    failure: Option<String>,
    progress: watch::Sender<Progress>,
}

/// How far it has come with looking through Redis for a user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// No search has ended.
    Begun,
    /// None has succeeded.
    Failed,
    /// One has.
    Done,
}

/// A search that waits for its turn or is under way.
struct Search {
    number: u64,
    waiting: AbortHandle,
}

impl Drop for Search {
    fn drop(&mut self) {
        self.waiting.abort();
    }
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            questions: Arc::new(Semaphore::new(AT_A_TIME)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            begun: Arc::default(),
            budget: Arc::new(Mutex::new(Budget::new(Instant::now()))),
            users: Arc::default(),
        }
    }
}

impl Lookups {
    /// The rows of `user`; `written`: those known to be written lately; `keeps_up`: whether
    /// the job does, so that Redis has time to spare.
    ///
    /// # Errors
    /// Why Redis was not asked, or what it answered; without secrets.
    pub(super) async fn rows(
        &self,
        console: &Arc<Console>,
        user: &str,
        written: &[WrittenRow],
        keeps_up: bool,
    ) -> Result<Found, String> {
        let views = &console.pipeline.views;
        // A view whose key names no window has one row, whose key is known.
        let (keys, searched, failure) = if views.iter().any(|view| view.key.has_window()) {
            self.budget().set(keeps_up);
            self.keys(console, user, written).await
        } else {
            (Vec::new(), true, None)
        };
        let (questions, console, name) = (Arc::clone(&self.questions), Arc::clone(console), user.to_owned());
        let asked = keys.clone();
        let ask = async {
            let permit = questions.acquire_owned().await;
            // Goes on where nobody waits any more, but keeps its place: Redis is never asked by more.
            let read = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                read(&console, &name, asked)
            });
            read.await.unwrap_or_else(|error| Err(format!("the question broke down: {error}")))
        };
        let rows = timeout(PATIENCE, ask).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))?;
        self.forget(user, &keys, &rows);
        Ok(Found { rows, searched, failure })
    }

    /// The keys of `user` as far as they are known, whether all of Redis was looked through for them, and why not.
    async fn keys(
        &self,
        console: &Arc<Console>,
        user: &str,
        written: &[WrittenRow],
    ) -> (Vec<RowKey>, bool, Option<String>) {
        let views = &console.pipeline.views;
        let written: Vec<RowKey> =
            written.iter().filter_map(|row| RowKey::parse(views, row.view, user, row.redis_key.as_bytes())).collect();
        if let Some(mut progress) = self.look_for(console, user, &written) {
            // An error: the user was forgotten.
            let _ = timeout(SEARCH_PATIENCE, progress.wait_for(|progress| *progress != Progress::Begun)).await;
        }
        self.known(user).unwrap_or_else(|| {
            let why = format!("{REMEMBERED} other users are being looked at; it is tried again when fewer are");
            (written, false, Some(why))
        })
    }

    /// Notes that somebody asks for `user`, and begins a search when it is time. `None` where too many are asked for.
    fn look_for(&self, console: &Arc<Console>, user: &str, written: &[RowKey]) -> Option<watch::Receiver<Progress>> {
        let now = Instant::now();
        let mut users = self.users();
        if !users.contains_key(user) && users.len() >= REMEMBERED {
            let (longest_ago, known) = users.iter().min_by_key(|(_, known)| known.asked)?;
            if now - known.asked < LEFT_AFTER {
                return None;
            }
            let longest_ago = longest_ago.clone();
            users.remove(&longest_ago);
        }
        let known = users.entry(user.to_owned()).or_insert_with(|| Known::new(now));
        if now - known.asked >= LEFT_AFTER {
            // Others may have written rows since, also where a search that nobody has stopped yet has been already.
            known.under_way = None;
            known.failure = None;
            known.progress.send_replace(Progress::Begun);
        }
        known.asked = now;
        known.add(written.iter().cloned());
        let due = known.under_way.is_none() && known.began.is_none_or(|began| now - began >= SEARCH_EVERY);
        if due {
            known.began = Some(now);
            known.under_way = Some(self.begin(console, user));
        }
        Some(known.progress.subscribe())
    }

    /// Searches when it is its turn.
    fn begin(&self, console: &Arc<Console>, user: &str) -> Search {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let (lookups, console, user) = (self.clone(), Arc::clone(console), user.to_owned());
        let waiting = tokio::spawn(async move {
            let permit = Arc::clone(&lookups.searches).acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let ended = lookups.search(&console, &user, number);
                lookups.ended(&user, number, ended);
            });
        });
        Search { number, waiting: waiting.abort_handle() }
    }

    /// Looks through Redis once, or until nobody asks any more: then it is `false`.
    fn search(&self, console: &Console, user: &str, number: u64) -> Result<bool, String> {
        let is_wanted = |known: &mut Known| known.asked.elapsed() < LEFT_AFTER;
        if !self.of_search(user, number, is_wanted).unwrap_or(false) {
            return Ok(false);
        }
        let pipeline = &console.pipeline;
        let reader = FeatureReader::open(&pipeline.sink.url, &pipeline.views, &pipeline.event.schema, user);
        let mut reader = reader.map_err(|error| error.to_string())?;
        let mut wanted = true;
        let step = |keys: Vec<RowKey>| {
            let noted = self.of_search(user, number, |known| {
                known.add(keys);
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
        reader.scan(step).map_err(|error| error.to_string())?;
        Ok(wanted)
    }

    /// Does `work` with what is known of `user`, unless that was forgotten since this search began.
    fn of_search<T>(&self, user: &str, number: u64, work: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let mut users = self.users();
        let known = users.get_mut(user)?;
        let is_current = known.under_way.as_ref().is_some_and(|search| search.number == number);
        is_current.then(|| work(known))
    }

    fn wait_for_budget(&self) {
        loop {
            let taken = self.budget().take(Instant::now());
            match taken {
                Ok(()) => return,
                Err(wait) => thread::sleep(wait),
            }
        }
    }

    fn ended(&self, user: &str, number: u64, ended: Result<bool, String>) {
        self.of_search(user, number, |known| {
            known.under_way = None;
            match ended {
                Ok(false) => known.began = None,
                Ok(true) => {
                    known.failure = None;
                    known.progress.send_replace(Progress::Done);
                }
                Err(why) => {
                    known.failure = Some(why);
                    if *known.progress.borrow() == Progress::Begun {
                        known.progress.send_replace(Progress::Failed);
                    }
                }
            }
        });
    }

    /// The keys of `user`, whether all of Redis was looked through for them, and why that failed last.
    fn known(&self, user: &str) -> Option<(Vec<RowKey>, bool, Option<String>)> {
        let users = self.users();
        let known = users.get(user)?;
        let searched = *known.progress.borrow() == Progress::Done;
        Some((known.keys.values().flatten().cloned().collect(), searched, known.failure.clone()))
    }

    /// Those of `asked` that have no row are gone.
    fn forget(&self, user: &str, asked: &[RowKey], rows: &[FoundRow]) {
        let there: BTreeSet<&[u8]> = rows.iter().map(|row| &*row.redis_key).collect();
        if let Some(known) = self.users().get_mut(user) {
            for key in asked.iter().filter(|key| !there.contains(&*key.redis_key)) {
                known.keys.entry(key.view).or_default().remove(key);
            }
        }
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn new(now: Instant) -> Self {
        let (progress, _) = watch::channel(Progress::Begun);
        Self { keys: BTreeMap::new(), asked: now, began: None, under_way: None, failure: None, progress }
    }

    fn add(&mut self, keys: impl IntoIterator<Item = RowKey>) {
        for key in keys {
            let of_view = self.keys.entry(key.view).or_default();
            of_view.insert(key);
            if of_view.len() > ROWS_MAX {
                of_view.pop_first();
            }
        }
    }
}

/// Reads the rows of `keys`, and of the views that have one row per user.
fn read(console: &Console, user: &str, mut keys: Vec<RowKey>) -> Result<Vec<FoundRow>, String> {
    let pipeline = &console.pipeline;
    let reader = FeatureReader::open(&pipeline.sink.url, &pipeline.views, &pipeline.event.schema, user);
    let mut reader = reader.map_err(|error| error.to_string())?;
    keys.extend(reader.own_keys());
    keys.sort_unstable();
    keys.dedup();
    reader.rows(&keys).map_err(|error| error.to_string())
}
