//! `/api/savepoints`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{HttpFault, JsonAnswer};
use crate::{JobServerContext, SavepointState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavepointRequestBody {
    #[serde(default)]
    to: Option<String>,
}

pub(super) async fn begin_savepoint(
    State(console): State<Arc<JobServerContext>>,
    wish: Result<Json<SavepointRequestBody>, JsonRejection>,
) -> Result<impl IntoResponse, HttpFault> {
    let Json(wish) = wish.map_err(|rejection| HttpFault::new(rejection.status(), rejection.body_text()))?;
    let request = console.begin_savepoint(wish.to.as_deref(), None, false)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "request": request }))))
}

pub(super) async fn get_savepoint(
    State(console): State<Arc<JobServerContext>>,
    Path(request): Path<String>,
) -> JsonAnswer<Value> {
    let mut state = console.savepoint_state(&request);
    if state.is_none() {
        // Perhaps another instance was asked.
        console.assemble_job().await;
        state = console.savepoint_state(&request);
    }
    let nothing = || HttpFault::new(StatusCode::NOT_FOUND, "no savepoint was asked for by that name, or long ago");
    Ok(Json(match state.ok_or_else(nothing)? {
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
