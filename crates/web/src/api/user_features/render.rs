//! Builds the JSON of `/api/features`.

use serde_json::{Value, json};
use windrow_connectors::redis::{StoredRow, StoredRowContents, WrittenRow};
use windrow_core::text::format_window;
use windrow_core::{EventTime, FeatureView, WindowKind};
use windrow_spec::RedisViewSpec;

use crate::api::item_with_instance::newest_items_with_instance;
use crate::job::JobReport;
use crate::report::{ReachabilityReport, ViewReport};
use crate::server_context::JobServerContext;

/// An answer holds at most this many late events of the user, and at most this many dead letters of the user.
const MAX_PROBLEMS_SHOWN: usize = 100;

pub(super) struct UserPageData<'a> {
    /// The entity key of the user; `None` if the request names no user.
    pub(super) user: Option<&'a str>,
    /// The user's rows that this instance wrote recently, newest first.
    pub(super) recent_rows: Vec<WrittenRow>,
    /// The user's rows in Redis, ordered by feature view. The rows of a view are ordered by window, oldest first.
    pub(super) stored_rows: Vec<StoredRow>,
    /// Whether a search for the user's keys has scanned all keys of Redis.
    pub(super) is_search_complete: bool,
    /// Why the last search for the user's keys failed or could not begin; otherwise `None`.
    pub(super) search_failure: Option<String>,
    pub(super) redis_reachability: ReachabilityReport,
}

pub(super) fn render_features(context: &JobServerContext, job: &JobReport, page: &UserPageData<'_>) -> Value {
    let (pipeline, user) = (&context.pipeline, page.user);
    let view_reports = job.sum_view_reports();
    let views = pipeline.views_with_redis_specs().enumerate().map(|(index, (view, redis))| {
        let report = view_reports.iter().find(|report| report.name == *view.name).cloned().unwrap_or_default();
        let view_data = ViewPageData { view_index: index, view, redis, report };
        render_view(&view_data, page)
    });
    let job_of_user = filter_problems_by_user(job, user);
    let late_events = newest_items_with_instance(
        &job_of_user,
        |instance| &instance.recent_late_events,
        |late| late.processed_at_ms,
        MAX_PROBLEMS_SHOWN,
    );
    let dead_letters = newest_items_with_instance(
        &job_of_user,
        |instance| &instance.recent_dead_letters,
        |letter| letter.refused_at_ms,
        MAX_PROBLEMS_SHOWN,
    );
    json!({
        "now_ms": job.assembled_at_ms, "user": user, "key_field": pipeline.event.schema.entity_key_name(),
        "redis": page.redis_reachability,
        "search": { "done": page.is_search_complete, "failure": page.search_failure },
        "feature_views": views.collect::<Vec<_>>(),
        "late_events": late_events,
        "dead_letters": dead_letters,
    })
}

struct ViewPageData<'a> {
    view_index: usize,
    view: &'a FeatureView,
    redis: &'a RedisViewSpec,
    report: ViewReport,
}

fn render_view(view_data: &ViewPageData<'_>, page: &UserPageData<'_>) -> Value {
    let ViewPageData { view_index: index, view, redis, report } = view_data;
    let stored = page.stored_rows.iter().filter(|row| row.view.0 == *index);
    let oldest_first = page.recent_rows.iter().rev().filter(|row| row.view.0 == *index);
    json!({
        "name": &*view.name,
        "window": format_window(view.window),
        "session": matches!(view.window, WindowKind::Session { .. }),
        "rows": report.rows_fired, "rows_per_s": report.rows_fired_per_s, "late_events": report.late_event_count,
        "late_after_idle": report.late_after_idle_event_count,
        "entities": report.entity_count, "ttl_ms": redis.ttl_ms,
        "incomplete": report.incomplete_features,
        "current": stored.map(render_stored_row).collect::<Vec<_>>(),
        "recent": oldest_first.map(render_recent_row).collect::<Vec<_>>(),
    })
}

fn render_recent_row(row: &WrittenRow) -> Value {
    json!({ "at_ms": row.acknowledged_at_ms, "redis_key": row.redis_key, "fields": row.field_values })
}

fn render_stored_row(row: &StoredRow) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (fields, other_type) = match &row.contents {
        StoredRowContents::Fields(fields) => {
            (fields.iter().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>(), None)
        }
        StoredRowContents::OtherType(other) => (Vec::new(), Some(other)),
    };
    json!({
        "redis_key": text(&row.redis_key),
        "window_start_ms": row.window.start.map(EventTime::ms), "window_end_ms": row.window.end.map(EventTime::ms),
        "fields": fields, "age_ms": row.age_ms, "ttl_left_ms": row.remaining_ttl_ms, "other_type": other_type,
    })
}

/// Returns a copy of the job report `job` that holds only the late events and dead letters of `user`. If `user` is
/// `None`, the copy holds no late events and no dead letters.
fn filter_problems_by_user(job: &JobReport, user: Option<&str>) -> JobReport {
    let mut job = job.clone();
    for instance in &mut job.instances {
        instance.recent_late_events.retain(|late| Some(late.entity_key.as_str()) == user);
        instance.recent_dead_letters.retain(|letter| {
            letter.record_or_redis_key.as_ref().is_some_and(|key| Some(key.excerpt_text.as_str()) == user)
        });
    }
    job
}
