//! `/api/pipeline`: the text of the pipeline file, and the plan of the pipeline as `windrow check --json` prints it.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;

use crate::server_context::SharedContext;

pub(super) async fn get_pipeline(State(context): SharedContext) -> impl IntoResponse {
    Json(json!({ "name": context.pipeline.name, "text": context.pipeline_text, "plan": context.pipeline_plan }))
}
