//! `/api/savepoints`: begins a savepoint, and returns the state of a requested savepoint.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{HttpFault, JsonOrFault};
use crate::controls::{HttpSavepointRequest, MAX_REMEMBERED_REQUESTS, SavepointState};
use crate::server_context::SharedContext;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavepointRequestBody {
    #[serde(default)]
    to: Option<String>,
}

pub(super) async fn begin_savepoint(
    State(context): SharedContext,
    body: Result<Json<SavepointRequestBody>, JsonRejection>,
) -> Result<impl IntoResponse, HttpFault> {
    let Json(body) = body.map_err(|rejection| HttpFault::new(rejection.status(), rejection.body_text()))?;
    let request = HttpSavepointRequest { target_directory: body.to.as_deref(), ..HttpSavepointRequest::default() };
    let request_name = context.begin_savepoint(request)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "request": request_name }))))
}

pub(super) async fn get_savepoint_state(
    State(context): SharedContext,
    Path(request): Path<String>,
) -> JsonOrFault<Value> {
    let mut state = context.look_up_savepoint_state(&request);
    if state.is_none() {
        // Another instance may have received the savepoint request. In that case, the report of that instance contains
        // the request. Assembling the job report reads the newest reports of the other instances, so that the second
        // look-up can find the request there.
        context.assemble_job_report().await;
        state = context.look_up_savepoint_state(&request);
    }
    let unknown = || {
        let reason =
            format!("no savepoint request of this name is known; only the newest {MAX_REMEMBERED_REQUESTS} are kept");
        HttpFault::new(StatusCode::NOT_FOUND, reason)
    };
    Ok(Json(match state.ok_or_else(unknown)? {
        SavepointState::InProgress { saved_partition_count: saved, partition_count: partitions } => json!({
            "status": "in_progress", "saved": saved, "partitions": partitions, "location": null, "failure": null,
        }),
        SavepointState::Completed { location, partition_count: partitions } => json!({
            "status": "completed", "saved": partitions, "partitions": partitions, "location": location, "failure": null,
        }),
        SavepointState::Failed { reason } => json!({
            "status": "failed", "saved": null, "partitions": null, "location": null, "failure": reason,
        }),
    }))
}
