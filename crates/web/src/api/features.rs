//! `/api/features`: what is known of a user.

mod budget;
mod lookups;

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use windrow_connectors::redis::{Contents, FoundRow};
use windrow_core::{EventTime, WindowKind};

use super::{build, newest};
use crate::answers::{Parameters, text};
use crate::live::{EVERY, Feeds};
use crate::words::window;
use crate::{Console, Job};
pub use lookups::Lookups;

/// Rows of a user that are looked for among those written lately.
const RECENT_MAX: usize = 500;
/// Late events and dead letters of a user.
const SHOWN_MAX: usize = 100;

#[derive(Deserialize)]
pub(super) struct Asked {
    user: Option<String>,
}

pub(super) async fn now(
    State(console): State<Arc<Console>>,
    Parameters(asked): Parameters<Asked>,
    Extension(lookups): Extension<Lookups>,
) -> impl IntoResponse {
    Json(of(&console, &lookups, asked.user.as_deref()).await)
}

pub(super) async fn live(
    State(console): State<Arc<Console>>,
    Parameters(asked): Parameters<Asked>,
    Extension(lookups): Extension<Lookups>,
    Extension(feeds): Extension<Feeds>,
) -> impl IntoResponse {
    let page = match &asked.user {
        Some(user) => format!("features {user}"),
        None => "features".to_owned(),
    };
    let user = asked.user;
    let message = move |console: Arc<Console>, _| {
        let (lookups, user) = (lookups.clone(), user.clone());
        async move { text(&of(&console, &lookups, user.as_deref()).await) }
    };
    // A row is to be seen within a second of being in Redis, wherever between two looks it came.
    feeds.follow(page, EVERY / 2, build(&console, message))
}

async fn of(console: &Arc<Console>, lookups: &Lookups, user: Option<&str>) -> Value {
    let job = console.job().await;
    let recent = user.map(|user| console.rows.recent(RECENT_MAX, Some(user))).unwrap_or_default();
    let mut reach = job.instances.first().map(|here| here.redis.reach.clone()).unwrap_or_default();
    let (mut current, mut searched, mut failure) = (Vec::new(), user.is_none(), None);
    if let Some(user) = user.filter(|_| reach.away_since_ms.is_none()) {
        match lookups.rows(console, user, &recent, job.totals().keeps_up()).await {
            Ok(found) => (current, searched, failure) = (found.rows, found.searched, found.failure),
            Err(reason) => {
                reach.away_since_ms = Some(job.now_ms);
                reach.reason = Some(reason);
            }
        }
    }
    let views = job.views();
    let view = |(index, view): (usize, &windrow_spec::View)| {
        let name = &*view.feature_view.name;
        let report = views.iter().find(|report| report.name == name).cloned().unwrap_or_default();
        let current = current.iter().filter(|row| row.view.0 == index).map(found);
        let recent = recent
            .iter()
            .rev()
            .filter(|row| row.view.0 == index)
            .map(|row| json!({ "at_ms": row.at_ms, "redis_key": row.redis_key, "fields": row.fields }));
        json!({
            "name": name,
            "window": window(view.feature_view.window),
            "session": matches!(view.feature_view.window, WindowKind::Session { .. }),
            "rows": report.rows, "rows_per_s": report.rows_per_s, "late_events": report.late_events,
            "entities": report.entities, "ttl_ms": view.ttl_ms,
            "current": current.collect::<Vec<_>>(), "recent": recent.collect::<Vec<_>>(),
        })
    };
    let pipeline = &console.pipeline;
    let of_user = of_user(&job, user);
    json!({
        "now_ms": job.now_ms, "user": user, "key_field": pipeline.event.schema.key_name(),
        "redis": reach,
        "search": { "done": searched, "failure": failure },
        "feature_views": pipeline.views.iter().enumerate().map(view).collect::<Vec<_>>(),
        "late_events": newest(&of_user, |one| &one.late_events, |late| late.at_ms, SHOWN_MAX),
        "dead_letters": newest(&of_user, |one| &one.dead_letters, |letter| letter.at_ms, SHOWN_MAX),
    })
}

/// The same job with the late events and dead letters of `user` only.
fn of_user(job: &Job, user: Option<&str>) -> Job {
    let mut job = job.clone();
    for one in &mut job.instances {
        one.late_events.retain(|late| Some(late.key.as_str()) == user);
        one.dead_letters.retain(|letter| letter.key.as_ref().is_some_and(|key| Some(key.text.as_str()) == user));
    }
    job
}

fn found(row: &FoundRow) -> Value {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (fields, other_type) = match &row.contents {
        Contents::Fields(fields) => {
            (fields.iter().map(|(name, value)| (shown(name), shown(value))).collect::<Vec<_>>(), None)
        }
        Contents::OtherType(other) => (Vec::new(), Some(other)),
    };
    json!({
        "redis_key": shown(&row.redis_key),
        "window_start_ms": row.window.start.map(EventTime::ms), "window_end_ms": row.window.end.map(EventTime::ms),
        "fields": fields, "age_ms": row.age_ms, "ttl_left_ms": row.ttl_left_ms, "other_type": other_type,
    })
}
