//! Caches the list of the savepoints in the job's checkpoint store, so that a slow store delays pages only briefly.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windrow_engine::checkpoint::{SavepointSummary, default_savepoint_folder, inspect};

use crate::server_context::JobServerContext;

/// The largest number of savepoints in one answer. Older savepoints are left out.
const MAX_SAVEPOINTS_SHOWN: usize = 500;
/// The shortest time from the end of one listing of the savepoints in the checkpoint store to the beginning of the
/// next.
const SAVEPOINT_LIST_INTERVAL: Duration = Duration::from_secs(5);
/// The longest time that a page waits for a listing of the savepoints. After this time, the page shows the previous
/// list.
const MAX_WAIT_FOR_SAVEPOINT_LIST: Duration = Duration::from_millis(500);

/// The savepoints that the last listing of the checkpoint store found. Clones of this handle share the list.
#[derive(Clone, Default)]
pub(super) struct SavepointListCache(Arc<Mutex<SavepointList>>);

#[derive(Default)]
struct SavepointList {
    last_listed_at: Option<Instant>,
    /// Whether a thread is listing the savepoints. No second thread does so meanwhile. So a checkpoint store that does
    /// not answer blocks at most one thread.
    is_listing: bool,
    savepoints: Vec<Value>,
}

impl SavepointListCache {
    /// Returns the JSON of the savepoints in the job's checkpoint store. If the last listing ended at least five
    /// seconds ago, begins a new listing and waits for it, at most half a second.
    pub(super) async fn get_or_refresh(&self, context: &Arc<JobServerContext>) -> Vec<Value> {
        if self.try_begin_listing() {
            let (cache, context) = (self.clone(), Arc::clone(context));
            let refresh = tokio::task::spawn_blocking(move || cache.refresh_list(&context));
            let _ = tokio::time::timeout(MAX_WAIT_FOR_SAVEPOINT_LIST, refresh).await;
        }
        self.0.lock().savepoints.clone()
    }

    fn try_begin_listing(&self) -> bool {
        let mut list = self.0.lock();
        let is_due =
            !list.is_listing && list.last_listed_at.is_none_or(|listed| listed.elapsed() >= SAVEPOINT_LIST_INTERVAL);
        list.is_listing |= is_due;
        is_due
    }

    fn refresh_list(&self, context: &JobServerContext) {
        let found = inspect::list_savepoints(&*context.checkpoint_store);
        let savepoints = found.ok().map(|found| {
            let mut readable: Vec<_> =
                found.into_iter().filter_map(|found| found.savepoint_summary.ok().flatten()).collect();
            readable.sort_by_key(|savepoint| Reverse(savepoint.taken_at_ms));
            let location = context.checkpoint_store.place().trim_end_matches('/');
            readable.iter().take(MAX_SAVEPOINTS_SHOWN).map(|savepoint| render_savepoint(location, savepoint)).collect()
        });
        let mut list = self.0.lock();
        (list.is_listing, list.last_listed_at) = (false, Some(Instant::now()));
        if let Some(savepoints) = savepoints {
            list.savepoints = savepoints;
        }
    }
}

fn render_savepoint(checkpoint_location: &str, savepoint: &SavepointSummary) -> Value {
    json!({
        "id": savepoint.savepoint_id,
        "place": format!("{checkpoint_location}/{}", default_savepoint_folder(&savepoint.savepoint_id)),
        "taken_at_ms": savepoint.taken_at_ms, "bytes": savepoint.total_state_byte_count, "partitions": savepoint.partition_numbers.len(),
    })
}
