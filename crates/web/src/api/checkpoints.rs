//! `/api/checkpoints`: the newest checkpoints, the newest restores of partitions, and the savepoints.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::item_with_instance::newest_items_with_instance;
use super::savepoint_list::SavepointListCache;
use crate::answers::to_json_text;
use crate::live::{LiveFeeds, MESSAGE_INTERVAL, message_builder_with_context};
use crate::server_context::{JobServerContext, SharedContext};

/// An answer holds at most this many checkpoints, and at most this many restores of partitions.
const MAX_CHECKPOINTS_SHOWN: usize = 500;

pub(super) async fn get_checkpoints(
    State(context): SharedContext,
    Extension(savepoints): Extension<SavepointListCache>,
) -> impl IntoResponse {
    Json(render_checkpoints(&context, &savepoints).await)
}

pub(super) async fn stream_checkpoints(
    State(context): SharedContext,
    Extension(savepoints): Extension<SavepointListCache>,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let message = move |context: Arc<JobServerContext>, _| {
        let savepoints = savepoints.clone();
        async move { to_json_text(&render_checkpoints(&context, &savepoints).await) }
    };
    feeds.stream_page_messages(
        "checkpoints".to_owned(),
        MESSAGE_INTERVAL,
        message_builder_with_context(&context, message),
    )
}

async fn render_checkpoints(context: &Arc<JobServerContext>, savepoints: &SavepointListCache) -> Value {
    let savepoints = savepoints.get_or_refresh(context).await;
    let job = context.assemble_job_report().await;
    let settings = &context.pipeline.checkpoint;
    let checkpoints = newest_items_with_instance(
        &job,
        |instance| &instance.recent_checkpoints,
        |taken| taken.began_at_ms,
        MAX_CHECKPOINTS_SHOWN,
    );
    let restored = newest_items_with_instance(
        &job,
        |instance| &instance.recent_restores,
        |restore| restore.restored_at_ms,
        MAX_CHECKPOINTS_SHOWN,
    );
    json!({
        "now_ms": job.assembled_at_ms, "every_ms": settings.checkpoint_interval_ms, "keep": settings.kept_generation_count,
        "place": context.checkpoint_store.place(),
        "counts": job.sum_checkpoint_counts(),
        "checkpoints": checkpoints,
        "restored": restored,
        "savepoints": savepoints,
    })
}
