//! Looks up the rows that Redis holds for a user.
//!
//! Owns: the answer to one request. The rows are read from Redis for each request. If the key of a view contains no
//! window, each user has one row, whose key is known. The keys of the other views come from recently written rows and
//! from searches.
//! Does not own: the known keys (`remembered_users`), the searches (`key_search`).
//! Invariant: a request waits for Redis for a limited time. A read that takes longer keeps its permit until the read
//! ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;
use windrow_connectors::redis::{FeatureReader, ReadFeaturesError, RowKey, StoredRow, WrittenRow};

use super::key_search::KeySearch;
use super::lookup_limits::LookupLimits;
use super::remembered_users::{KnownKeys, REMEMBERED_USERS_MAX, SearchProgress, SharedUsers};
use crate::job::JobPace;
use crate::server_context::JobServerContext;

/// The longest time that a request waits for the first search for a user.
const FIRST_SEARCH_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest time that a request waits for the rows.
const ROW_READ_TIMEOUT: Duration = Duration::from_secs(4);

/// The rows that Redis holds for a user.
pub(super) struct UserRows {
    /// The rows by view, oldest window first.
    pub(super) rows: Vec<StoredRow>,
    /// Whether a search has scanned all keys of Redis. A pause of ten seconds in the requests for the user resets this
    /// value.
    pub(super) is_search_complete: bool,
    /// The reason of the last search's failure.
    pub(super) search_failure: Option<String>,
}

/// The reason why a user's rows could not be read. Contains no secrets.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupFault {
    #[error(transparent)]
    Redis(#[from] ReadFeaturesError),
    #[error("Redis did not answer within {} s", ROW_READ_TIMEOUT.as_secs())]
    TimedOut,
    #[error("reading from Redis failed: {0}")]
    TaskFailed(#[source] JoinError),
}

/// Looks up rows for all requests. Clones of this handle share the known keys and the limits.
#[derive(Clone, Default)]
pub(crate) struct UserRowLookup {
    limits: LookupLimits,
    users: SharedUsers,
}

impl UserRowLookup {
    /// Returns the rows of `user`. `written_rows` are recently written rows of the user. `pace` determines the rate at
    /// which a search may scan Redis.
    ///
    /// # Errors
    /// When Redis is unreachable or does not answer in time.
    pub(super) async fn find_user_rows(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        written_rows: &[WrittenRow],
        pace: JobPace,
    ) -> Result<UserRows, LookupFault> {
        let known = if context
            .pipeline
            .sink
            .redis()
            .redis_view_specs
            .iter()
            .any(|view| view.key_template.has_window_placeholder())
        {
            self.limits.set_scan_rate(pace);
            self.find_user_keys(context, user, written_rows).await
        } else {
            KnownKeys { keys: Vec::new(), is_search_complete: true, search_failure: None }
        };
        let read = self.read_rows_on_blocking_thread(context, user, known.keys.clone());
        let rows = timeout(ROW_READ_TIMEOUT, read).await.map_err(|_| LookupFault::TimedOut)??;
        self.users.lock().forget_missing_keys(user, &known.keys, &rows);
        let KnownKeys { is_search_complete, search_failure, .. } = known;
        Ok(UserRows { rows, is_search_complete, search_failure })
    }

    /// Reads the rows on a blocking thread. If the request times out, the read continues and keeps its permit, so that
    /// the limit of simultaneous reads holds.
    async fn read_rows_on_blocking_thread(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        keys: Vec<RowKey>,
    ) -> Result<Vec<StoredRow>, LookupFault> {
        let permit = self.limits.acquire_read_permit().await;
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
        let views = &context.pipeline.sink.redis().redis_view_specs;
        let parse = |row: &WrittenRow| RowKey::from_redis_key(views, row.view, user, row.redis_key.as_bytes());
        let written_keys: Vec<RowKey> = written_rows.iter().filter_map(parse).collect();
        if let Some(mut progress) = self.note_request_and_begin_due_search(context, user, &written_keys) {
            // An error means that the user was forgotten in the meantime.
            let has_ended = |progress: &SearchProgress| *progress != SearchProgress::Begun;
            let _ = timeout(FIRST_SEARCH_TIMEOUT, progress.wait_for(has_ended)).await;
        }
        let known = self.users.lock().known_keys(user);
        known.unwrap_or_else(|| {
            let reason = format!(
                "{REMEMBERED_USERS_MAX} other users are being looked up; the search is retried when they are fewer"
            );
            KnownKeys { keys: written_keys, is_search_complete: false, search_failure: Some(reason) }
        })
    }

    /// Records the request, and begins a search if one is due. Returns `None` if too many other users were requested
    /// recently.
    fn note_request_and_begin_due_search(
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
                KeySearch { context, users, limits, search_id: id }.spawn()
            });
        }
        Some(noted.progress)
    }
}

/// Reads the rows of `keys`, and the rows of views that have one row per user.
fn read_user_rows(
    context: &JobServerContext,
    user: &str,
    mut keys: Vec<RowKey>,
) -> Result<Vec<StoredRow>, ReadFeaturesError> {
    let pipeline = &context.pipeline;
    let mut reader = FeatureReader::connect(&pipeline.sink.redis().redis_url, pipeline, user)?;
    keys.extend(reader.windowless_row_keys());
    keys.sort_unstable();
    keys.dedup();
    reader.read_rows(&keys)
}
