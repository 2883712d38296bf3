//! Serves the health checks that Kubernetes, systemd and load balancers use. `/healthz` answers whether all workers
//! make progress. `/readyz` answers whether the instance has started, is not stopping, and reaches Kafka, Redis
//! and the checkpoint store.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use windrow_core::text::format_age_ms;

use crate::api_route::{ApiRoute, add_routes};
use crate::report::{InstanceReport, InstanceState, ReachabilityReport};
use crate::server_context::{JobServerContext, SharedContext};

/// Returns the routes `/healthz` and `/readyz`.
pub fn router() -> Router<Arc<JobServerContext>> {
    add_routes(Router::new(), "", routes())
}

pub(crate) fn routes() -> Vec<ApiRoute<Arc<JobServerContext>>> {
    vec![ApiRoute::get("/healthz", healthz), ApiRoute::get("/readyz", readyz)]
}

async fn healthz(State(context): SharedContext) -> Response {
    answer_ok_or_unavailable(&describe_stuck_workers(&context.report_source.current_report()))
}

async fn readyz(State(context): SharedContext) -> Response {
    answer_ok_or_unavailable(&describe_unreadiness(&context.report_source.current_report()))
}

fn answer_ok_or_unavailable(problems: &[String]) -> Response {
    if problems.is_empty() {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "errors": problems }))).into_response()
    }
}

/// Returns a sentence for each stuck worker. While Redis or Kafka is unreachable, no worker counts as stuck, because a
/// restart of the process would not help.
#[must_use]
pub fn describe_stuck_workers(report: &InstanceReport) -> Vec<String> {
    if report.redis_writer.reachability.is_unreachable() || report.kafka_reachability.is_unreachable() {
        return Vec::new();
    }
    let stuck = report.workers.iter().enumerate().filter(|(_, worker)| worker.is_stuck());
    let describe = |(index, worker): (usize, &crate::report::WorkerReport)| {
        format!("worker {index} has been stuck for {}", format_age_ms(worker.heartbeat_age_ms))
    };
    stuck.map(describe).collect()
}

/// Returns the reasons why this instance is not ready to process events. An empty list means that the instance is
/// ready.
#[must_use]
pub fn describe_unreadiness(report: &InstanceReport) -> Vec<String> {
    let mut reasons = Vec::new();
    match report.state {
        InstanceState::Starting => reasons.push("starting".to_owned()),
        InstanceState::Stopping => reasons.push("stopping".to_owned()),
        InstanceState::Running => {}
    }
    if report.owned_partitions.is_empty() && !report.parked_partitions.is_empty() {
        reasons.push("all partitions of this instance are parked because of faults".to_owned());
    }
    let describe = |name: &str, dependency: &ReachabilityReport| {
        dependency.unreachable_since_ms.map(|_| match &dependency.unreachable_reason {
            Some(reason) if dependency.lacks_acknowledgement_only() => format!("{name}: {reason}"),
            Some(reason) => format!("{name} is unreachable: {reason}"),
            None => format!("{name} is unreachable"),
        })
    };
    reasons.extend(describe("Kafka", &report.kafka_reachability));
    reasons.extend(describe("Redis", &report.redis_writer.reachability));
    reasons.extend(describe("the checkpoint store", &report.checkpoint_store_reachability));
    reasons
}
