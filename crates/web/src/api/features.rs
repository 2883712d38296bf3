//! `/api/features`: the feature rows and problems of a user.
//!
//! A request passes through these modules: `row_lookup` answers it with the rows that Redis holds for the keys in
//! `remembered_users`. `key_search` finds the keys in the background. `lookup_limits` and `scan_budget` limit the load
//! on Redis. `render` builds the JSON.

mod key_search;
mod lookup_limits;
mod remembered_users;
mod render;
mod row_lookup;
mod scan_budget;

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;

use crate::answers::to_json_text;
use crate::live::{LiveFeeds, MESSAGE_INTERVAL, message_builder_with_context};
use crate::query::QueryParameters;
use crate::server_context::{JobServerContext, SharedContext};
use render::{UserSnapshot, render_features};
pub(super) use row_lookup::UserRowLookup;

/// The largest number of a user's recently written rows in one answer.
const RECENT_ROWS_MAX: usize = 500;

#[derive(Deserialize)]
pub(super) struct FeaturesQuery {
    user: Option<String>,
}

pub(super) async fn get_features(
    State(context): SharedContext,
    QueryParameters(query): QueryParameters<FeaturesQuery>,
    Extension(lookup): Extension<UserRowLookup>,
) -> impl IntoResponse {
    Json(look_up_and_render_user(&context, &lookup, query.user.as_deref()).await)
}

pub(super) async fn stream_features(
    State(context): SharedContext,
    QueryParameters(query): QueryParameters<FeaturesQuery>,
    Extension(lookup): Extension<UserRowLookup>,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let page = match &query.user {
        Some(user) => format!("features {user}"),
        None => "features".to_owned(),
    };
    let message = move |context: Arc<JobServerContext>, _| {
        let (lookup, user) = (lookup.clone(), query.user.clone());
        async move { to_json_text(&look_up_and_render_user(&context, &lookup, user.as_deref()).await) }
    };
    // The interval is half that of other pages, because a row must be visible within a second of its arrival in Redis.
    feeds.stream_page_messages(page, MESSAGE_INTERVAL / 2, message_builder_with_context(&context, message))
}

async fn look_up_and_render_user(context: &Arc<JobServerContext>, lookup: &UserRowLookup, user: Option<&str>) -> Value {
    let job = context.assemble_job_report().await;
    let recent_rows = user.map(|user| context.recent_rows.newest_rows(RECENT_ROWS_MAX, Some(user)));
    let mut snapshot = UserSnapshot {
        user,
        recent_rows: recent_rows.unwrap_or_default(),
        stored_rows: Vec::new(),
        is_search_complete: user.is_none(),
        search_failure: None,
        redis: job.instances.first().map(|own| own.redis_writer.reachability.clone()).unwrap_or_default(),
    };
    if let Some(user) = user.filter(|_| !snapshot.redis.is_unreachable()) {
        match lookup.find_user_rows(context, user, &snapshot.recent_rows, job.compute_totals().pace()).await {
            Ok(found) => {
                snapshot.stored_rows = found.rows;
                snapshot.is_search_complete = found.is_search_complete;
                snapshot.search_failure = found.search_failure;
            }
            Err(fault) => {
                snapshot.redis.unreachable_since_ms = Some(job.assembled_at_ms);
                snapshot.redis.unreachable_reason = Some(fault.to_string());
            }
        }
    }
    render_features(context, &job, &snapshot)
}
