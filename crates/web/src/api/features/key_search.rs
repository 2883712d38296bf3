//! Searching Redis for the keys of a user's rows, in the background.
//!
//! Owns: one scan of all keys of the database, as fast as the scan budget allows. Does not own: the found keys
//! (`remembered_users`).
//! Invariant: a search stops at the next step of its scan when its user is forgotten or no request asks for the user.

use std::sync::Arc;

use tokio::task::AbortHandle;
use windrow_connectors::redis::FeatureReader;

use super::lookup_limits::LookupLimits;
use super::remembered_users::{SearchId, SearchOutcome, SharedUsers};
use crate::server_context::JobServerContext;

/// One search for the keys of a user.
pub(super) struct KeySearch {
    pub(super) context: Arc<JobServerContext>,
    pub(super) users: SharedUsers,
    pub(super) limits: LookupLimits,
    pub(super) id: SearchId,
}

impl KeySearch {
    /// Starts a task that waits for the search's turn and then scans on a blocking thread. Aborting the task ends only the
    /// waiting.
    pub(super) fn spawn(self) -> AbortHandle {
        let task = tokio::spawn(async move {
            let permit = self.limits.wait_for_search().await;
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let outcome = self.scan();
                self.users.lock().record_search_end(&self.id, outcome);
            });
        });
        task.abort_handle()
    }

    /// Scans Redis once, or until no request asks for the user any more.
    fn scan(&self) -> SearchOutcome {
        if !self.is_wanted() {
            return SearchOutcome::Abandoned;
        }
        let pipeline = &self.context.pipeline;
        let opened = FeatureReader::open(&pipeline.sink.redis().url, pipeline, &self.id.user);
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(error) => return SearchOutcome::Failed(error.to_string()),
        };
        let mut is_wanted = true;
        self.limits.block_until_scan_step();
        let scanned = reader.scan_windowed_row_keys(|keys| {
            self.users.lock().add_found_keys(&self.id, keys);
            is_wanted = self.is_wanted();
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

    fn is_wanted(&self) -> bool {
        self.users.lock().is_wanted(&self.id)
    }
}
