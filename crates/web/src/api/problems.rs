//! `/api/problems`: late events, dead letters, logged warnings and errors, and the problems that need an operator's
//! attention.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::item_with_instance::newest_items_with_instance;
use crate::answers::to_json_text;
use crate::live::{LiveFeeds, MESSAGE_INTERVAL, message_builder_with_context};
use crate::server_context::{JobServerContext, SharedContext};

/// An answer holds at most this many late events. The same limit applies to the dead letters, and to the logged
/// warnings and errors.
const MAX_PROBLEMS_SHOWN: usize = 500;

pub(super) async fn get_problems(State(context): SharedContext) -> impl IntoResponse {
    Json(render_problems(&context).await)
}

pub(super) async fn stream_problems(
    State(context): SharedContext,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let message = async |context: Arc<JobServerContext>, _| to_json_text(&render_problems(&context).await);
    feeds.stream_page_messages("problems".to_owned(), MESSAGE_INTERVAL, message_builder_with_context(&context, message))
}

async fn render_problems(context: &JobServerContext) -> Value {
    let job = context.assemble_job_report().await;
    let totals = job.compute_totals();
    let (late_events, dead_letters, exceptions) = (
        newest_items_with_instance(
            &job,
            |instance| &instance.recent_late_events,
            |late| late.processed_at_ms,
            MAX_PROBLEMS_SHOWN,
        ),
        newest_items_with_instance(
            &job,
            |instance| &instance.recent_dead_letters,
            |letter| letter.refused_at_ms,
            MAX_PROBLEMS_SHOWN,
        ),
        newest_items_with_instance(
            &job,
            |instance| &instance.recent_logged_problems,
            |problem| problem.logged_at_ms,
            MAX_PROBLEMS_SHOWN,
        ),
    );
    json!({
        "now_ms": job.assembled_at_ms,
        "counts": {
            "late_events": totals.late_event_count, "dead_letters": totals.dead_letter_count, "refused_rows": totals.refused_row_count,
        },
        "late_events": late_events,
        "dead_letters": dead_letters,
        "exceptions": exceptions,
        "attention": job.attention_items(context.pipeline.checkpoint.checkpoint_interval_ms),
    })
}
