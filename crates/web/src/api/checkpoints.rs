//! `/api/checkpoints`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Value, json};
use windrow_engine::checkpoint::{default_savepoint_folder, inspect};

use super::{message_builder, newest_items};
use crate::JobServerContext;
use crate::answers::to_json_text;
use crate::live::{LiveFeeds, MESSAGE_INTERVAL};

/// Of each kind, newest first.
const CHECKPOINTS_SHOWN_MAX: usize = 500;
/// Savepoints are looked for again after this long.
const SAVEPOINT_LIST_INTERVAL: Duration = Duration::from_secs(5);
/// How long a page waits for that.
const SAVEPOINT_LIST_TIMEOUT: Duration = Duration::from_millis(500);

/// The savepoints beside the checkpoints, as they were found last.
#[derive(Clone, Default)]
pub(super) struct SavepointListCache(Arc<Mutex<SavepointList>>);

#[derive(Default)]
struct SavepointList {
    listed_at: Option<Instant>,
    /// Somebody does; a store that hangs is not asked by many.
    is_listing: bool,
    savepoints: Vec<Value>,
}

impl SavepointListCache {
    async fn get_or_refresh(&self, console: &Arc<JobServerContext>) -> Vec<Value> {
        let due = {
            let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let due =
                !found.is_listing && found.listed_at.is_none_or(|looked| looked.elapsed() >= SAVEPOINT_LIST_INTERVAL);
            found.is_listing |= due;
            due
        };
        if due {
            let (known, console) = (self.clone(), Arc::clone(console));
            let look = tokio::task::spawn_blocking(move || known.refresh(&console));
            let _ = tokio::time::timeout(SAVEPOINT_LIST_TIMEOUT, look).await;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).savepoints.clone()
    }

    fn refresh(&self, console: &JobServerContext) {
        let found = inspect::list_savepoints(&*console.checkpoint_store);
        {
            let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (looked.is_listing, looked.listed_at) = (false, Some(Instant::now()));
        }
        let Ok(found) = found else { return };
        let place = console.checkpoint_store.place().trim_end_matches('/').to_owned();
        let mut savepoints: Vec<_> = found.into_iter().filter_map(|found| found.content.ok().flatten()).collect();
        savepoints.sort_by_key(|savepoint| std::cmp::Reverse(savepoint.taken_at_ms));
        let say = |savepoint: windrow_engine::checkpoint::savepoint::SavepointContent| {
            json!({
                "id": savepoint.id, "place": format!("{place}/{}", default_savepoint_folder(&savepoint.id)),
                "taken_at_ms": savepoint.taken_at_ms, "bytes": savepoint.bytes, "partitions": savepoint.partitions.len(),
            })
        };
        let said = savepoints.into_iter().take(CHECKPOINTS_SHOWN_MAX).map(say).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).savepoints = said;
    }
}

pub(super) async fn get_checkpoints(
    State(console): State<Arc<JobServerContext>>,
    Extension(savepoints): Extension<SavepointListCache>,
) -> impl IntoResponse {
    Json(render_checkpoints(&console, &savepoints).await)
}

pub(super) async fn stream_checkpoints(
    State(console): State<Arc<JobServerContext>>,
    Extension(savepoints): Extension<SavepointListCache>,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let message = move |console: Arc<JobServerContext>, _| {
        let savepoints = savepoints.clone();
        async move { to_json_text(&render_checkpoints(&console, &savepoints).await) }
    };
    feeds.follow("checkpoints".to_owned(), MESSAGE_INTERVAL, message_builder(&console, message))
}

async fn render_checkpoints(console: &Arc<JobServerContext>, savepoints: &SavepointListCache) -> Value {
    let savepoints = savepoints.get_or_refresh(console).await;
    let job = console.assemble_job().await;
    let checkpoint = &console.pipeline.checkpoint;
    json!({
        "now_ms": job.now_ms, "every_ms": checkpoint.interval_ms, "keep": checkpoint.kept_generations, "place": console.checkpoint_store.place(),
        "counts": job.checkpoint_counts(),
        "checkpoints": newest_items(&job, |one| &one.checkpoints, |one| one.began_at_ms, CHECKPOINTS_SHOWN_MAX),
        "restored": newest_items(&job, |one| &one.restored, |one| one.at_ms, CHECKPOINTS_SHOWN_MAX),
        "savepoints": savepoints,
    })
}
