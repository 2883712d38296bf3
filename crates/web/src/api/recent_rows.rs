//! `/api/rows`: the rows that this instance recently wrote to Redis.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use windrow_connectors::redis::WrittenRow;

use crate::answers::to_json_text;
use crate::live::{LiveFeeds, MESSAGE_INTERVAL, message_builder_with_context};
use crate::query::QueryParameters;
use crate::server_context::{JobServerContext, SharedContext};

/// The largest number of recently written rows in one answer.
const MAX_ROWS_PER_ANSWER: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct RecentRowsQuery {
    #[serde(default = "default_row_limit")]
    limit: usize,
}

const fn default_row_limit() -> usize {
    50
}

pub(super) async fn get_recent_rows(
    State(context): SharedContext,
    QueryParameters(query): QueryParameters<RecentRowsQuery>,
) -> impl IntoResponse {
    Json(render_recent_rows(&context, query.limit))
}

pub(super) async fn stream_recent_rows(
    State(context): SharedContext,
    QueryParameters(query): QueryParameters<RecentRowsQuery>,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let limit = query.limit.min(MAX_ROWS_PER_ANSWER);
    let message =
        move |context: Arc<JobServerContext>, _| async move { to_json_text(&render_recent_rows(&context, limit)) };
    feeds.stream_page_messages(
        format!("rows {limit}"),
        MESSAGE_INTERVAL,
        message_builder_with_context(&context, message),
    )
}

fn render_recent_rows(context: &JobServerContext, limit: usize) -> Value {
    let rows = context.recent_row_source.newest_rows(limit.min(MAX_ROWS_PER_ANSWER), None);
    let render_row = |row: WrittenRow| {
        let view = context.pipeline.views.get(row.view.0).map(|view| view.name.to_string());
        json!({
            "at_ms": row.acknowledged_at_ms, "feature_view": view, "redis_key": row.redis_key, "fields": row.field_values,
            "ttl_ms": row.ttl_ms,
        })
    };
    let rows: Vec<Value> = rows.into_iter().map(render_row).collect();
    json!({ "now_ms": Timestamp::now().as_millisecond(), "rows": rows })
}
