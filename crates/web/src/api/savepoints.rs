//! `/api/savepoints`: beginning a savepoint, and its state.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{HttpFault, JsonAnswer};
use crate::controls::{SavepointOrder, SavepointState};
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
    let order = SavepointOrder { target_directory: body.to.as_deref(), ..SavepointOrder::default() };
    let request = context.begin_savepoint(order)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "request": request }))))
}

pub(super) async fn get_savepoint(State(context): SharedContext, Path(request): Path<String>) -> JsonAnswer<Value> {
    let mut state = context.savepoint_state(&request);
    if state.is_none() {
        // It may have been requested from another instance: read the newest reports.
        context.assemble_job().await;
        state = context.savepoint_state(&request);
    }
    let unknown = || HttpFault::new(StatusCode::NOT_FOUND, "no savepoint request has that name, or it is forgotten");
    Ok(Json(match state.ok_or_else(unknown)? {
        SavepointState::InProgress { saved, partitions } => json!({
            "status": "in_progress", "saved": saved, "partitions": partitions, "location": null, "failure": null,
        }),
        SavepointState::Completed { location, partitions } => json!({
            "status": "completed", "saved": partitions, "partitions": partitions, "location": location, "failure": null,
        }),
        SavepointState::Failed { reason } => json!({
            "status": "failed", "saved": null, "partitions": null, "location": null, "failure": reason,
        }),
    }))
}
