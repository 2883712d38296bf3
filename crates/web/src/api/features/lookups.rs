//! Asking Redis for a user's rows without being a burden to it.
//!
//! A view whose key names no window has one row. The keys of the others' rows are known from rows written lately, and from
//! looking through all keys of the database: in the background, again and again while somebody looks at that user, as fast
//! as the [`Budget`] of all pages allows. Rows are read by their keys, so what is shown is what Redis holds at that moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
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
/// A search ends when nobody has asked for that user for this long.
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
    /// Whether all of Redis was looked through at least once.
    pub(super) searched: bool,
    /// Why the last search failed.
    pub(super) failure: Option<String>,
}

/// The questions under way, and which keys users have.
#[derive(Clone)]
pub struct Lookups {
    questions: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    budget: Arc<Mutex<Budget>>,
    users: Arc<Mutex<HashMap<String, Known>>>,
}

struct Known {
    keys: BTreeMap<ViewId, BTreeSet<RowKey>>,
    asked: Instant,
    began: Option<Instant>,
    under_way: bool,
    failure: Option<String>,
    /// Whether a search has ended.
    searched: watch::Sender<bool>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            questions: Arc::new(Semaphore::new(AT_A_TIME)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
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
        self.budget().set(keeps_up);
        let mut searched = self.look_for(console, user, written);
        // An error: the user was forgotten, for others.
        let _ = timeout(SEARCH_PATIENCE, searched.wait_for(|searched| *searched)).await;
        let (keys, failure) = self.known(user);
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
        let searched = *searched.borrow();
        Ok(Found { rows, searched, failure })
    }

    /// Notes that somebody asks for `user`, and begins a search when it is time.
    fn look_for(&self, console: &Arc<Console>, user: &str, written: &[WrittenRow]) -> watch::Receiver<bool> {
        let views = &console.pipeline.views;
        let now = Instant::now();
        let mut users = self.users();
        if !users.contains_key(user) && users.len() >= REMEMBERED {
            let longest_ago = users.iter().min_by_key(|(_, known)| known.asked).map(|(user, _)| user.clone());
            longest_ago.and_then(|user| users.remove(&user));
        }
        let known = users.entry(user.to_owned()).or_insert_with(|| Known::new(now));
        known.asked = now;
        known.add(written.iter().filter_map(|row| RowKey::parse(views, row.view, user, row.redis_key.as_bytes())));
        let due = !known.under_way && known.began.is_none_or(|began| now - began >= SEARCH_EVERY);
        if due && views.iter().any(|view| view.key.has_window()) {
            (known.began, known.under_way) = (Some(now), true);
            let (lookups, console, user) = (self.clone(), Arc::clone(console), user.to_owned());
            tokio::spawn(async move {
                let permit = Arc::clone(&lookups.searches).acquire_owned().await;
                tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    let ended = lookups.search(&console, &user);
                    lookups.ended(&user, ended);
                });
            });
        } else if !known.under_way {
            known.searched.send_replace(true);
        }
        known.searched.subscribe()
    }

    /// Looks through Redis once, or until nobody asks any more: then it is `false`.
    fn search(&self, console: &Console, user: &str) -> Result<bool, String> {
        let pipeline = &console.pipeline;
        let reader = FeatureReader::open(&pipeline.sink.url, &pipeline.views, &pipeline.event.schema, user);
        let mut reader = reader.map_err(|error| error.to_string())?;
        let mut wanted = true;
        let step = |keys: Vec<RowKey>| {
            self.wait_for_budget();
            wanted = self.users().get_mut(user).is_some_and(|known| {
                known.add(keys);
                known.failure = None; // Redis answers (again)
                known.asked.elapsed() < LEFT_AFTER
            });
            wanted
        };
        reader.scan(step).map_err(|error| error.to_string())?;
        Ok(wanted)
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

    fn ended(&self, user: &str, ended: Result<bool, String>) {
        if let Some(known) = self.users().get_mut(user) {
            known.under_way = false;
            match ended {
                Ok(false) => known.began = None,
                ended => {
                    known.failure = ended.err();
                    known.searched.send_replace(true);
                }
            }
        }
    }

    fn known(&self, user: &str) -> (Vec<RowKey>, Option<String>) {
        let users = self.users();
        users.get(user).map_or_else(Default::default, |known| {
            (known.keys.values().flatten().cloned().collect(), known.failure.clone())
        })
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
        let (searched, _) = watch::channel(false);
        Self { keys: BTreeMap::new(), asked: now, began: None, under_way: false, failure: None, searched }
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
