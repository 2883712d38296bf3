//! `/api/savepoints`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{Answer, Fault};
use crate::{Console, SavepointState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    #[serde(default)]
    to: Option<String>,
}

pub(super) async fn begin(
    State(console): State<Arc<Console>>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<impl IntoResponse, Fault> {
    let Json(wish) = wish.map_err(|rejection| Fault::new(rejection.status(), rejection.body_text()))?;
    let request = console.begin_savepoint(wish.to.as_deref(), None, false)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "request": request }))))
}

pub(super) async fn outcome(State(console): State<Arc<Console>>, Path(request): Path<String>) -> Answer<Value> {
    let mut state = console.savepoint(&request);
    if state.is_none() {
        // Perhaps another instance was asked.
        console.job().await;
        state = console.savepoint(&request);
    }
    let nothing = || Fault::new(StatusCode::NOT_FOUND, "no savepoint was asked for by that name, or long ago");
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
