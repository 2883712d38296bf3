//! `/api/checkpoints`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Value, json};
use windrow_engine::checkpoint::{default_savepoint, inspect};

use super::{build, newest};
use crate::Console;
use crate::answers::text;
use crate::live::{EVERY, Feeds};

/// Of each kind, newest first.
const SHOWN_MAX: usize = 500;
/// Savepoints are looked for again after this long.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a page waits for that.
const PATIENCE: Duration = Duration::from_millis(500);

/// The savepoints beside the checkpoints, as they were found last.
#[derive(Clone, Default)]
pub(super) struct Savepoints(Arc<Mutex<Found>>);

#[derive(Default)]
struct Found {
    looked: Option<Instant>,
    /// Somebody does; a store that hangs is not asked by many.
    looking: bool,
    savepoints: Vec<Value>,
}

impl Savepoints {
    async fn get(&self, console: &Arc<Console>) -> Vec<Value> {
        let due = {
            let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = !found.looking && found.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
            found.looking |= due;
            due
        };
        if due {
            let (known, console) = (self.clone(), Arc::clone(console));
            let look = tokio::task::spawn_blocking(move || known.look(&console));
            let _ = tokio::time::timeout(PATIENCE, look).await;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).savepoints.clone()
    }

    fn look(&self, console: &Console) {
        let found = inspect::savepoints(&*console.store);
        {
            let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (looked.looking, looked.looked) = (false, Some(Instant::now()));
        }
        let Ok(found) = found else { return };
        let place = console.store.place().trim_end_matches('/').to_owned();
        let mut savepoints: Vec<_> = found.into_iter().filter_map(|found| found.content.ok().flatten()).collect();
        savepoints.sort_by_key(|savepoint| std::cmp::Reverse(savepoint.taken_at_ms));
        let say = |savepoint: windrow_engine::checkpoint::savepoint::Content| {
            json!({
                "id": savepoint.id, "place": format!("{place}/{}", default_savepoint(&savepoint.id)),
                "taken_at_ms": savepoint.taken_at_ms, "bytes": savepoint.bytes, "partitions": savepoint.partitions.len(),
            })
        };
        let said = savepoints.into_iter().take(SHOWN_MAX).map(say).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).savepoints = said;
    }
}

pub(super) async fn now(
    State(console): State<Arc<Console>>,
    Extension(savepoints): Extension<Savepoints>,
) -> impl IntoResponse {
    Json(of(&console, &savepoints).await)
}

pub(super) async fn live(
    State(console): State<Arc<Console>>,
    Extension(savepoints): Extension<Savepoints>,
    Extension(feeds): Extension<Feeds>,
) -> impl IntoResponse {
    let message = move |console: Arc<Console>, _| {
        let savepoints = savepoints.clone();
        async move { text(&of(&console, &savepoints).await) }
    };
    feeds.follow("checkpoints".to_owned(), EVERY, build(&console, message))
}

async fn of(console: &Arc<Console>, savepoints: &Savepoints) -> Value {
    let savepoints = savepoints.get(console).await;
    let job = console.job().await;
    let checkpoint = &console.pipeline.checkpoint;
    json!({
        "now_ms": job.now_ms, "every_ms": checkpoint.every_ms, "keep": checkpoint.keep, "place": console.store.place(),
        "counts": job.checkpoint_counts(),
        "checkpoints": newest(&job, |one| &one.checkpoints, |one| one.began_at_ms, SHOWN_MAX),
        "restored": newest(&job, |one| &one.restored, |one| one.at_ms, SHOWN_MAX),
        "savepoints": savepoints,
    })
}
