//! Looks up the rows that Redis holds for a user.
//!
//! Owns: reading a user's rows from Redis for one request. If the keys of a feature view contain no window, the user
//! has one row in this view, whose key is always known. All other keys become known through the rows that this instance
//! wrote recently, and through searches of Redis. Does not own: the known keys (`remembered_users`), the searches
//! (`key_search`).
//! Invariant: a request waits for Redis for a limited time. If a read takes longer, the read keeps its permit until the
//! read ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;
use windrow_connectors::redis::{FeatureReader, ReadFeaturesError, RowKey, StoredRow, WrittenRow};

use super::key_search::KeySearch;
use super::lookup_limits::LookupLimits;
use super::remembered_users::{KnownKeys, MAX_REMEMBERED_USERS, SearchProgress, SharedRememberedUsers};
use crate::job::JobPace;
use crate::server_context::JobServerContext;

/// The longest time that an HTTP request waits for the first search for its user's keys to end.
const MAX_WAIT_FOR_FIRST_SEARCH: Duration = Duration::from_millis(500);
/// The longest time that an HTTP request waits for Redis to return the user's rows.
const ROW_READ_TIMEOUT: Duration = Duration::from_secs(4);

/// The rows that Redis holds for a user.
pub(super) struct UserRows {
    /// The rows, ordered by feature view. The rows of a view are ordered by window, oldest first.
    pub(super) stored_rows: Vec<StoredRow>,
    /// Whether a search for the user's keys has scanned all keys of Redis. After ten seconds without an HTTP request
    /// for the user, earlier searches no longer count.
    pub(super) is_search_complete: bool,
    /// Why the last search for the user's keys failed or could not begin; otherwise `None`.
    pub(super) search_failure: Option<String>,
}

/// Why a user's rows could not be read. The error text contains no secrets, so a page may show this text.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowLookupFault {
    #[error(transparent)]
    Redis(#[from] ReadFeaturesError),
    #[error("Redis did not answer within {} s", ROW_READ_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the thread that reads from Redis failed: {0}")]
    TaskFailed(#[source] JoinError),
}

/// Looks up the rows of users in Redis. All HTTP requests use clones of one lookup. Clones share the known keys, and
/// the limits of the load on Redis.
#[derive(Clone, Default)]
pub(crate) struct UserRowLookup {
    limits: LookupLimits,
    users: SharedRememberedUsers,
}

impl UserRowLookup {
    /// Returns the rows that Redis holds for `user`. `written_rows` are the user's rows that this instance wrote
    /// recently, so their keys are known without a search. `pace` says whether the job keeps up with its input. If not,
    /// searches scan Redis more slowly.
    ///
    /// # Errors
    /// When Redis is unreachable or does not answer in time.
    pub(super) async fn find_user_rows(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        written_rows: &[WrittenRow],
        pace: JobPace,
    ) -> Result<UserRows, RowLookupFault> {
        let known = if context
            .pipeline
            .sink
            .redis()
            .redis_view_specs
            .iter()
            .any(|view| view.key_template.has_window_placeholder())
        {
            self.limits.set_scan_rate_for_pace(pace);
            self.find_user_row_keys(context, user, written_rows).await
        } else {
            KnownKeys { row_keys: Vec::new(), is_search_complete: true, search_failure: None }
        };
        let read = self.read_rows_on_blocking_thread(context, user, known.row_keys.clone());
        let rows = timeout(ROW_READ_TIMEOUT, read).await.map_err(|_| RowLookupFault::TimedOut)??;
        self.users.lock().forget_keys_without_row(user, &known.row_keys, &rows);
        let KnownKeys { is_search_complete, search_failure, .. } = known;
        Ok(UserRows { stored_rows: rows, is_search_complete, search_failure })
    }

    /// Reads the rows at `keys` on a blocking thread. If the HTTP request times out, the read continues and keeps its
    /// permit. So even a slow Redis never receives more simultaneous reads than permitted.
    async fn read_rows_on_blocking_thread(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        keys: Vec<RowKey>,
    ) -> Result<Vec<StoredRow>, RowLookupFault> {
        let permit = self.limits.acquire_read_permit().await;
        let (context, user) = (Arc::clone(context), user.to_owned());
        let read = spawn_blocking(move || {
            let _permit = permit;
            read_user_rows(&context, &user, keys)
        });
        Ok(read.await.map_err(RowLookupFault::TaskFailed)??)
    }

    /// Begins a search for the keys of `user` if a search is due. Waits until the first search has ended, but at most
    /// half a second. Then returns the known keys of the user's rows.
    async fn find_user_row_keys(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        written_rows: &[WrittenRow],
    ) -> KnownKeys {
        let views = &context.pipeline.sink.redis().redis_view_specs;
        let parse = |row: &WrittenRow| RowKey::from_redis_key(views, row.view, user, row.redis_key.as_bytes());
        let written_keys: Vec<RowKey> = written_rows.iter().filter_map(parse).collect();
        if let Some(mut search_progress) = self.record_request_and_begin_due_search(context, user, &written_keys) {
            // The wait ends with an error if the user is forgotten in the meantime. This error is ignored, because
            // forgetting the user also ends the search.
            let has_ended = |progress: &SearchProgress| *progress != SearchProgress::Begun;
            let _ = timeout(MAX_WAIT_FOR_FIRST_SEARCH, search_progress.wait_for(has_ended)).await;
        }
        let known = self.users.lock().get_known_keys(user);
        known.unwrap_or_else(|| {
            let reason = format!(
                "the search for this user has not started, because {MAX_REMEMBERED_USERS} other users were requested in \
                 the last seconds, which is the limit; it starts when fewer users are requested"
            );
            KnownKeys { row_keys: written_keys, is_search_complete: false, search_failure: Some(reason) }
        })
    }

    /// Records that an HTTP request asked for `user`, and begins a search for the user's keys if a search is due.
    /// Returns a channel with the progress of the searches. Returns `None` if requests asked for
    /// [`MAX_REMEMBERED_USERS`] other users in the last ten seconds.
    fn record_request_and_begin_due_search(
        &self,
        context: &Arc<JobServerContext>,
        user: &str,
        written_keys: &[RowKey],
    ) -> Option<watch::Receiver<SearchProgress>> {
        let now = Instant::now();
        let mut users = self.users.lock();
        let status = users.record_user_request(user, written_keys, now)?;
        if status.is_search_due {
            users.begin_search(user, now, |id| {
                let (context, users, limits) = (Arc::clone(context), self.users.clone(), self.limits.clone());
                KeySearch { context, remembered_users: users, limits, search_id: id }.spawn_search_task()
            });
        }
        Some(status.search_progress)
    }
}

/// Reads the rows at `keys` from Redis. Also reads the row of `user` in each feature view whose keys contain no window.
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
