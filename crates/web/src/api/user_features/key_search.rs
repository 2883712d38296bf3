//! Searches Redis in the background for the keys of a user's rows.
//!
//! Owns: the scan of all keys in the Redis database, at the rate that the scan budget permits. Does not own: the keys
//! that the scan finds (`remembered_users`).
//! Invariant: a search ends at its next scan step if no HTTP request has asked for the user for ten seconds. A scan
//! step is one `SCAN` command. The search also ends at its next scan step if `remembered_users` has forgotten the user.

use std::sync::Arc;

use tokio::task::AbortHandle;
use windrow_connectors::redis::FeatureReader;

use super::lookup_limits::LookupLimits;
use super::remembered_users::{SearchId, SearchOutcome, SharedRememberedUsers};
use crate::server_context::JobServerContext;

pub(super) struct KeySearch {
    pub(super) context: Arc<JobServerContext>,
    pub(super) remembered_users: SharedRememberedUsers,
    pub(super) limits: LookupLimits,
    pub(super) search_id: SearchId,
}

impl KeySearch {
    /// Starts a task that waits for a search permit and then starts the scan on a blocking thread. The returned handle
    /// can abort the wait for the permit, but not a scan that has begun.
    pub(super) fn spawn_search_task(self) -> AbortHandle {
        let task = tokio::spawn(async move {
            let permit = self.limits.acquire_search_permit().await;
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let outcome = self.scan_for_keys();
                self.remembered_users.lock().record_search_end(&self.search_id, outcome);
            });
        });
        task.abort_handle()
    }

    /// Scans all keys of the Redis database for keys of the user's rows. Scans the database once for each feature view
    /// whose Redis keys contain a window. Stops early if no HTTP request has asked for the user for ten seconds, or if
    /// this search is no longer active.
    fn scan_for_keys(&self) -> SearchOutcome {
        if !self.is_user_still_requested() {
            return SearchOutcome::Abandoned;
        }
        let pipeline = &self.context.pipeline;
        let opened = FeatureReader::connect(&pipeline.sink.redis().redis_url, pipeline, &self.search_id.user);
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(error) => return SearchOutcome::Failed(error.to_string()),
        };
        let mut is_wanted = true;
        self.limits.block_until_scan_step_granted();
        let scanned = reader.scan_windowed_row_keys(|keys| {
            self.remembered_users.lock().add_keys_found_by_search(&self.search_id, keys);
            is_wanted = self.is_user_still_requested();
            if is_wanted {
                self.limits.block_until_scan_step_granted();
            }
            is_wanted
        });
        match scanned {
            Err(error) => SearchOutcome::Failed(error.to_string()),
            Ok(()) if is_wanted => SearchOutcome::Complete,
            Ok(()) => SearchOutcome::Abandoned,
        }
    }

    fn is_user_still_requested(&self) -> bool {
        self.remembered_users.lock().is_user_still_requested(&self.search_id)
    }
}
