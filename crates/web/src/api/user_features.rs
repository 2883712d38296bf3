//! `/api/features`: a user's rows in Redis, and the user's late events and dead letters.
//!
//! `remembered_users` holds the known Redis keys of each user's rows. `key_search` finds more keys in the background,
//! by scanning Redis. For each request, `row_lookup` reads the rows at the known keys from Redis. `lookup_limits` and
//! `scan_budget` limit the load on Redis. `render` builds the JSON.

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
use render::{UserPageData, render_features};
pub(super) use row_lookup::UserRowLookup;

/// The largest number of recently written rows of a user in one answer.
const MAX_RECENT_ROWS: usize = 500;

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
    // The server sends this page a message every half second, twice as often as other pages. So a new row appears on
    // this page within a second.
    feeds.stream_page_messages(page, MESSAGE_INTERVAL / 2, message_builder_with_context(&context, message))
}

async fn look_up_and_render_user(context: &Arc<JobServerContext>, lookup: &UserRowLookup, user: Option<&str>) -> Value {
    let job = context.assemble_job_report().await;
    let recent_rows = user.map(|user| context.recent_row_source.newest_rows(MAX_RECENT_ROWS, Some(user)));
    let own_reachability = job.instances.first().map(|own| own.redis_writer.reachability.clone());
    let mut page_data = UserPageData {
        user,
        recent_rows: recent_rows.unwrap_or_default(),
        stored_rows: Vec::new(),
        is_search_complete: user.is_none(),
        search_failure: None,
        redis_reachability: own_reachability.filter(|redis| !redis.lacks_acknowledgement_only()).unwrap_or_default(),
    };
    if let Some(user) = user.filter(|_| !page_data.redis_reachability.is_unreachable()) {
        match lookup.find_user_rows(context, user, &page_data.recent_rows, job.compute_totals().pace()).await {
            Ok(found) => {
                page_data.stored_rows = found.stored_rows;
                page_data.is_search_complete = found.is_search_complete;
                page_data.search_failure = found.search_failure;
            }
            Err(fault) => {
                page_data.redis_reachability.unreachable_since_ms = Some(job.assembled_at_ms);
                page_data.redis_reachability.unreachable_reason = Some(fault.to_string());
            }
        }
    }
    render_features(context, &job, &page_data)
}
