//! `/api/instances`: the reports of all instances.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;

use crate::server_context::SharedContext;

pub(super) async fn get_instances(State(context): SharedContext) -> impl IntoResponse {
    let job = context.assemble_job_report().await;
    Json(json!({ "now_ms": job.assembled_at_ms, "instances": job.instances }))
}
