//! Searches Redis for the keys of a user's rows, in the background.
//!
//! Owns: one scan of all keys in the database, at the rate of the scan budget. Does not own: the found keys
//! (`remembered_users`).
//! Invariant: a search stops at the next step of its scan if the user is forgotten or no request asks for the user.

use std::sync::Arc;

use tokio::task::AbortHandle;
use windrow_connectors::redis::FeatureReader;

use super::lookup_limits::LookupLimits;
use super::remembered_users::{SearchId, SearchOutcome, SharedUsers};
use crate::server_context::JobServerContext;

/// A search for the keys of a user's rows.
pub(super) struct KeySearch {
    pub(super) context: Arc<JobServerContext>,
    pub(super) users: SharedUsers,
    pub(super) limits: LookupLimits,
    pub(super) search_id: SearchId,
}

impl KeySearch {
    /// Starts a task that waits for a search permit and then starts the scan on a blocking thread. Aborting the task
    /// does not end a scan that has begun.
    pub(super) fn spawn(self) -> AbortHandle {
        let task = tokio::spawn(async move {
            let permit = self.limits.acquire_search_permit().await;
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let outcome = self.scan_for_keys();
                self.users.lock().record_search_end(&self.search_id, outcome);
            });
        });
        task.abort_handle()
    }

    /// Scans all keys of Redis once, or stops early if no request asks for the user.
    fn scan_for_keys(&self) -> SearchOutcome {
        if !self.is_still_requested() {
            return SearchOutcome::Abandoned;
        }
        let pipeline = &self.context.pipeline;
        let opened = FeatureReader::connect(&pipeline.sink.redis().redis_url, pipeline, &self.search_id.user);
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(error) => return SearchOutcome::Failed(error.to_string()),
        };
        let mut is_wanted = true;
        self.limits.block_until_scan_step();
        let scanned = reader.scan_windowed_row_keys(|keys| {
            self.users.lock().add_found_keys(&self.search_id, keys);
            is_wanted = self.is_still_requested();
            if is_wanted {
                self.limits.block_until_scan_step();
            }
            is_wanted
        });
        match scanned {
            Err(error) => SearchOutcome::Failed(error.to_string()),
            Ok(()) if is_wanted => SearchOutcome::Complete,
            Ok(()) => SearchOutcome::Abandoned,
        }
    }

    fn is_still_requested(&self) -> bool {
        self.users.lock().is_still_requested(&self.search_id)
    }
}
