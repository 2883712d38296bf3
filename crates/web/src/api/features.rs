//! `/api/features`: what is known of a user.

mod budget;
mod lookups;

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use windrow_connectors::redis::{StoredRow, StoredRowContents};
use windrow_core::{EventTime, FeatureView, WindowKind};

use super::{message_builder, newest_items};
use crate::answers::{QueryParameters, to_json_text};
use crate::live::{LiveFeeds, MESSAGE_INTERVAL};
use crate::words::format_window;
use crate::{JobReport, JobServerContext};
pub use lookups::UserRowLookup;

/// Rows of a user that are looked for among those written lately.
const RECENT_ROWS_MAX: usize = 500;
/// Late events and dead letters of a user.
const PROBLEMS_SHOWN_MAX: usize = 100;

#[derive(Deserialize)]
pub(super) struct FeaturesQuery {
    user: Option<String>,
}

pub(super) async fn get_features(
    State(console): State<Arc<JobServerContext>>,
    QueryParameters(asked): QueryParameters<FeaturesQuery>,
    Extension(lookups): Extension<UserRowLookup>,
) -> impl IntoResponse {
    Json(render_features(&console, &lookups, asked.user.as_deref()).await)
}

pub(super) async fn stream_features(
    State(console): State<Arc<JobServerContext>>,
    QueryParameters(asked): QueryParameters<FeaturesQuery>,
    Extension(lookups): Extension<UserRowLookup>,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let page = match &asked.user {
        Some(user) => format!("features {user}"),
        None => "features".to_owned(),
    };
    let user = asked.user;
    let message = move |console: Arc<JobServerContext>, _| {
        let (lookups, user) = (lookups.clone(), user.clone());
        async move { to_json_text(&render_features(&console, &lookups, user.as_deref()).await) }
    };
    // A row is to be seen within a second of being in Redis, wherever between two looks it came.
    feeds.follow(page, MESSAGE_INTERVAL / 2, message_builder(&console, message))
}

async fn render_features(console: &Arc<JobServerContext>, lookups: &UserRowLookup, user: Option<&str>) -> Value {
    let job = console.assemble_job().await;
    let recent = user.map(|user| console.recent_rows.newest_rows(RECENT_ROWS_MAX, Some(user))).unwrap_or_default();
    let mut reach = job.instances.first().map(|here| here.redis.reach.clone()).unwrap_or_default();
    let (mut current, mut searched, mut failure) = (Vec::new(), user.is_none(), None);
    if let Some(user) = user.filter(|_| reach.away_since_ms.is_none()) {
        match lookups.find_user_rows(console, user, &recent, job.totals().is_keeping_up()).await {
            Ok(found) => (current, searched, failure) = (found.rows, found.searched, found.failure),
            Err(reason) => {
                reach.away_since_ms = Some(job.now_ms);
                reach.reason = Some(reason);
            }
        }
    }
    let views = job.views();
    let view = |(index, (view, redis)): (usize, (&FeatureView, &windrow_spec::RedisViewSpec))| {
        let name = &*view.name;
        let report = views.iter().find(|report| report.name == name).cloned().unwrap_or_default();
        let current = current.iter().filter(|row| row.view.0 == index).map(render_found_row);
        let recent =
            recent.iter().rev().filter(|row| row.view.0 == index).map(
                |row| json!({ "at_ms": row.acknowledged_at_ms, "redis_key": row.redis_key, "fields": row.fields }),
            );
        json!({
            "name": name,
            "window": format_window(view.window),
            "session": matches!(view.window, WindowKind::Session { .. }),
            "rows": report.rows, "rows_per_s": report.rows_per_s, "late_events": report.late_events,
            "entities": report.entities, "ttl_ms": redis.ttl_ms,
            "current": current.collect::<Vec<_>>(), "recent": recent.collect::<Vec<_>>(),
        })
    };
    let pipeline = &console.pipeline;
    let of_user = keep_problems_of_user(&job, user);
    json!({
        "now_ms": job.now_ms, "user": user, "key_field": pipeline.event.schema.key_name(),
        "redis": reach,
        "search": { "done": searched, "failure": failure },
        "feature_views": pipeline.redis_views().enumerate().map(view).collect::<Vec<_>>(),
        "late_events": newest_items(&of_user, |one| &one.late_events, |late| late.at_ms, PROBLEMS_SHOWN_MAX),
        "dead_letters": newest_items(&of_user, |one| &one.dead_letters, |letter| letter.at_ms, PROBLEMS_SHOWN_MAX),
    })
}

/// The same job with the late events and dead letters of `user` only.
fn keep_problems_of_user(job: &JobReport, user: Option<&str>) -> JobReport {
    let mut job = job.clone();
    for one in &mut job.instances {
        one.late_events.retain(|late| Some(late.key.as_str()) == user);
        one.dead_letters.retain(|letter| letter.key.as_ref().is_some_and(|key| Some(key.text.as_str()) == user));
    }
    job
}

fn render_found_row(row: &StoredRow) -> Value {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (fields, other_type) = match &row.contents {
        StoredRowContents::Fields(fields) => {
            (fields.iter().map(|(name, value)| (shown(name), shown(value))).collect::<Vec<_>>(), None)
        }
        StoredRowContents::OtherType(other) => (Vec::new(), Some(other)),
    };
    json!({
        "redis_key": shown(&row.redis_key),
        "window_start_ms": row.window.start.map(EventTime::ms), "window_end_ms": row.window.end.map(EventTime::ms),
        "fields": fields, "age_ms": row.age_ms, "ttl_left_ms": row.ttl_left_ms, "other_type": other_type,
    })
}
