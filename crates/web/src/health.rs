//! `/healthz`: does the process live? `/readyz`: does it do its work? For Kubernetes, systemd, load balancers.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::JobServerContext;
use crate::report::{InstanceReport, InstanceState, ReachabilityReport};
use crate::words::format_time_span;

/// A worker whose loop did not come round for this long is stuck.
const BEAT_MAX_MS: u64 = 30_000;

/// Both routes.
pub fn router() -> Router<Arc<JobServerContext>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

async fn healthz(State(console): State<Arc<JobServerContext>>) -> Response {
    answer_health(&describe_stuck_workers(&console.report_source.report()))
}

async fn readyz(State(console): State<Arc<JobServerContext>>) -> Response {
    answer_health(&describe_unreadiness(&console.report_source.report()))
}

fn answer_health(wrong: &[String]) -> Response {
    if wrong.is_empty() {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "errors": wrong }))).into_response()
    }
}

/// Which workers are stuck. One that waits for Redis or Kafka (with a dead letter, say) is not: it comes round as soon as
/// that is back, and restarting the process would not help.
#[must_use]
pub fn describe_stuck_workers(report: &InstanceReport) -> Vec<String> {
    if report.redis.reach.away_since_ms.or(report.kafka.away_since_ms).is_some() {
        return Vec::new();
    }
    let workers = report.workers.iter().enumerate().filter(|(_, worker)| worker.beat_age_ms >= BEAT_MAX_MS);
    let say = |age_ms: u64| format_time_span(i64::try_from(age_ms).unwrap_or(i64::MAX));
    workers.map(|(index, worker)| format!("worker {index} has been stuck for {}", say(worker.beat_age_ms))).collect()
}

/// Why this process does not do its work.
#[must_use]
pub fn describe_unreadiness(report: &InstanceReport) -> Vec<String> {
    let mut wrong = Vec::new();
    match report.state {
        InstanceState::Starting => wrong.push("starting".to_owned()),
        InstanceState::Stopping => wrong.push("stopping".to_owned()),
        InstanceState::Running => {}
    }
    let away = |name: &str, reach: &ReachabilityReport| {
        reach.away_since_ms.map(|_| match &reach.reason {
            Some(reason) => format!("{name} away: {reason}"),
            None => format!("{name} away"),
        })
    };
    wrong.extend(away("Kafka", &report.kafka));
    wrong.extend(away("Redis", &report.redis.reach));
    wrong
}
