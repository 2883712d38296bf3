//! Looking up the rows that Redis holds for a user.
//!
//! Owns: answering one request. Rows are read by their keys, so the answer is what Redis holds at that moment. A view whose
//! key names no window has one row per user, so its key is known. The keys of the other views are known from recently
//! written rows and from searches.
//! Does not own: the known keys (`remembered_users`), searching (`key_search`).
//! Invariant: a request waits for Redis for a bounded time; a read that takes longer keeps its permit until it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;
use windrow_connectors::redis::{FeatureReader, ReadFeaturesError, RowKey, StoredRow, WrittenRow};

use super::key_search::KeySearch;
use super::lookup_limits::LookupLimits;
use super::remembered_users::{KnownKeys, REMEMBERED_USERS, SearchProgress, SharedUsers};
use crate::job::JobPace;
use crate::server_context::JobServerContext;

/// How long a request waits for the first search of a user.
const FIRST_SEARCH_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a request waits for the rows.
const ROW_READ_TIMEOUT: Duration = Duration::from_secs(4);

/// The rows that Redis holds for a user.
pub(super) struct UserRows {
    /// By view, oldest window first.
    pub(super) rows: Vec<StoredRow>,
    /// Whether all of Redis was scanned since requests began to ask for the user.
    pub(super) is_search_complete: bool,
    /// Why the last search failed.
    pub(super) search_failure: Option<String>,
}

/// Why the rows of a user could not be read. Holds no secrets.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupFault {
    #[error(transparent)]
    Redis(#[from] ReadFeaturesError),
    #[error("Redis did not answer within {} s", ROW_READ_TIMEOUT.as_secs())]
    TimedOut,
    #[error("reading from Redis failed: {0}")]
    TaskFailed(#[source] JoinError),
}

/// Looks up rows for all requests. A handle: clones share keys and limits.
#[derive(Clone, Default)]
pub(crate) struct UserRowLookup {
    limits: LookupLimits,
    users: SharedUsers,
}

impl UserRowLookup {
    /// Returns the rows of `user`. `written_rows` are rows of the user that were written recently; `pace` decides how much
    /// of Redis a search may use.
    ///
    /// # Errors
    /// When Redis cannot be asked or does not answer in time.
    pub(super) async fn find_user_rows(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        written_rows: &[WrittenRow],
        pace: JobPace,
    ) -> Result<UserRows, LookupFault> {
        let known = if context.pipeline.sink.redis().views.iter().any(|view| view.key.names_window()) {
            self.limits.set_scan_rate(pace);
            self.find_user_keys(context, user, written_rows).await
        } else {
            KnownKeys { keys: Vec::new(), is_search_complete: true, search_failure: None }
        };
        let read = self.read_rows(context, user, known.keys.clone());
        let rows = timeout(ROW_READ_TIMEOUT, read).await.map_err(|_| LookupFault::TimedOut)??;
        self.users.lock().forget_missing_keys(user, &known.keys, &rows);
        let KnownKeys { is_search_complete, search_failure, .. } = known;
        Ok(UserRows { rows, is_search_complete, search_failure })
    }

    /// Reads on a blocking thread. The read continues without a waiting request, but keeps its permit, so that Redis is
    /// never asked by more.
    async fn read_rows(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        keys: Vec<RowKey>,
    ) -> Result<Vec<StoredRow>, LookupFault> {
        let permit = self.limits.wait_for_read().await;
        let (context, user) = (Arc::clone(context), user.to_owned());
        let read = spawn_blocking(move || {
            let _permit = permit;
            read_user_rows(&context, &user, keys)
        });
        Ok(read.await.map_err(LookupFault::TaskFailed)??)
    }

    /// Returns the known keys of `user`. Waits a short time for the first search.
    async fn find_user_keys(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        written_rows: &[WrittenRow],
    ) -> KnownKeys {
        let views = &context.pipeline.sink.redis().views;
        let parse = |row: &WrittenRow| RowKey::parse(views, row.view, user, row.redis_key.as_bytes());
        let written_keys: Vec<RowKey> = written_rows.iter().filter_map(parse).collect();
        if let Some(mut progress) = self.note_request(context, user, &written_keys) {
            // An error means that the user was forgotten meanwhile.
            let has_ended = |progress: &SearchProgress| *progress != SearchProgress::Begun;
            let _ = timeout(FIRST_SEARCH_TIMEOUT, progress.wait_for(has_ended)).await;
        }
        let known = self.users.lock().known_keys(user);
        known.unwrap_or_else(|| {
            let reason = format!(
                "{REMEMBERED_USERS} other users are being looked up; the search is retried when they are fewer"
            );
            KnownKeys { keys: written_keys, is_search_complete: false, search_failure: Some(reason) }
        })
    }

    /// Notes the request, and begins a search if one is due. Returns `None` if requests ask for too many other users.
    fn note_request(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        written_keys: &[RowKey],
    ) -> Option<watch::Receiver<SearchProgress>> {
        let now = Instant::now();
        let mut users = self.users.lock();
        let noted = users.note_request(user, written_keys, now)?;
        if noted.is_search_due {
            users.begin_search(user, now, |id| {
                let (context, users, limits) = (Arc::clone(context), self.users.clone(), self.limits.clone());
                KeySearch { context, users, limits, id }.spawn()
            });
        }
        Some(noted.progress)
    }
}

/// Reads the rows of `keys`, and of the views that have one row per user.
fn read_user_rows(
    context: &JobServerContext,
    user: &str,
    mut keys: Vec<RowKey>,
) -> Result<Vec<StoredRow>, ReadFeaturesError> {
    let pipeline = &context.pipeline;
    let mut reader = FeatureReader::open(&pipeline.sink.redis().url, pipeline, user)?;
    keys.extend(reader.fixed_row_keys());
    keys.sort_unstable();
    keys.dedup();
    reader.read_rows(&keys)
}
