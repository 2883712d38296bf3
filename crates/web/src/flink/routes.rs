//! The URLs.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use serde_json::{Value, json};

use super::fault::{self, HttpFault, json_answer};
use super::look::FlinkJob;
use super::operations::CheckpointTriggers;
use super::{body, checkpoints, cluster, exceptions, job, metrics, operations, vertex};
use crate::answers::method_not_allowed;
use crate::{JobReport, JobServerContext};

type Shared = State<Arc<JobServerContext>>;

/// Flink's REST API, as far as it is answered, as `/…` and `/v1/…`.
pub fn router() -> Router<Arc<JobServerContext>> {
    let mut router = Router::new();
    // Not nested: who asks wrongly is told the whole path.
    for prefix in ["", "/v1"] {
        let at = |path: &str| format!("{prefix}{path}");
        router = router
            .route(&at("/config"), get(get_config))
            .route(&at("/overview"), get(get_overview))
            .route(&at("/taskmanagers"), get(get_task_managers))
            .route(&at("/jobs"), get(get_jobs))
            .route(&at("/jobs/overview"), get(get_jobs_overview))
            .route(&at("/jobs/{jobid}"), get(get_job).patch(patch_cancel))
            .route(&at("/jobs/{jobid}/status"), get(get_status))
            .route(&at("/jobs/{jobid}/exceptions"), get(get_exceptions))
            .route(&at("/jobs/{jobid}/checkpoints"), get(get_checkpoints).post(post_checkpoint))
            .route(&at("/jobs/{jobid}/checkpoints/config"), get(get_checkpoint_config))
            .route(&at("/jobs/{jobid}/checkpoints/details/{checkpointid}"), get(get_checkpoint_details))
            .route(&at("/jobs/{jobid}/checkpoints/{triggerid}"), get(get_checkpoint_status))
            .route(&at("/jobs/{jobid}/savepoints"), post(post_savepoint))
            .route(&at("/jobs/{jobid}/savepoints/{triggerid}"), get(get_savepoint_status))
            .route(&at("/jobs/{jobid}/stop"), post(post_stop))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}"), get(get_vertex))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/metrics"), get(get_vertex_metrics))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/subtasks/metrics"), get(get_subtask_metrics))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/watermarks"), get(get_watermarks))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/backpressure"), get(get_backpressure));
    }
    router.method_not_allowed_fallback(method_not_allowed).layer(Extension(CheckpointTriggers::default()))
}

/// What a path and its query name.
struct FlinkRequest {
    path: HashMap<String, String>,
    query: HashMap<String, String>,
}

impl FlinkRequest {
    fn path_parameter(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FlinkRequest {
    type Rejection = HttpFault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpFault> {
        let wrong = |reason: String| fault::bad_request(format!("Bad request, could not parse parameters: {reason}"));
        let path: Result<Path<HashMap<String, String>>, PathRejection> = Path::from_request_parts(parts, state).await;
        let query: Result<Query<HashMap<String, String>>, QueryRejection> =
            Query::from_request_parts(parts, state).await;
        let query = query.map_err(|rejection| wrong(rejection.body_text()))?.0;
        // A path without parameters has none to give.
        let path = match path {
            Ok(Path(path)) => path,
            Err(PathRejection::MissingPathParams(_)) => HashMap::new(),
            Err(rejection) => return Err(wrong(rejection.body_text())),
        };
        Ok(Self { path, query })
    }
}

/// Looks at the job and answers with what `of` makes of it.
async fn answer_from_job(
    console: &JobServerContext,
    of: impl FnOnce(&FlinkJob<'_>) -> Result<Value, HttpFault>,
) -> Response {
    let job = console.assemble_job().await;
    answer_outcome(StatusCode::OK, of(&flink_job(console, &job)))
}

/// The same of the job that is asked for.
async fn answer_from_named_job(
    console: &JobServerContext,
    asked: &FlinkRequest,
    of: impl FnOnce(&FlinkJob<'_>) -> Result<Value, HttpFault>,
) -> Response {
    answer_from_job(console, |look| look.check_job_id(asked.path_parameter("jobid")).and_then(|()| of(look))).await
}

fn flink_job<'a>(console: &'a JobServerContext, job: &'a JobReport) -> FlinkJob<'a> {
    FlinkJob {
        id: console.job_id(),
        pipeline: &console.pipeline,
        checkpoint_place: console.checkpoint_store.place(),
        now_ms: job.now_ms,
        instances: &job.instances,
    }
}

fn answer_outcome(status: StatusCode, outcome: Result<Value, HttpFault>) -> Response {
    outcome.map_or_else(IntoResponse::into_response, |value| json_answer(status, &value))
}

async fn get_config(State(console): Shared) -> Response {
    answer_from_job(&console, |look| Ok(cluster::render_config(look))).await
}

async fn get_overview(State(console): Shared) -> Response {
    answer_from_job(&console, |look| Ok(cluster::render_cluster_overview(look))).await
}

async fn get_task_managers(State(console): Shared) -> Response {
    answer_from_job(&console, |look| Ok(cluster::render_task_managers(look))).await
}

async fn get_jobs(State(console): Shared) -> Response {
    answer_from_job(&console, |look| Ok(job::render_jobs(look))).await
}

async fn get_jobs_overview(State(console): Shared) -> Response {
    answer_from_job(&console, |look| Ok(job::render_jobs_overview(look))).await
}

async fn get_job(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| Ok(job::render_job(look))).await
}

async fn get_status(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| Ok(job::render_status(look))).await
}

async fn get_exceptions(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| {
        exceptions::render_exceptions(look, asked.query_parameter("maxExceptions"))
    })
    .await
}

async fn get_checkpoints(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| Ok(checkpoints::render_checkpoint_statistics(look))).await
}

async fn get_checkpoint_config(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| Ok(checkpoints::render_checkpoint_config(look))).await
}

async fn get_checkpoint_details(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| {
        checkpoints::render_checkpoint_details(look, asked.path_parameter("checkpointid"))
    })
    .await
}

async fn get_vertex(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| {
        Ok(vertex::render_vertex_details(look, look.find_vertex(asked.path_parameter("vertexid"))?))
    })
    .await
}

async fn get_watermarks(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| {
        Ok(vertex::render_watermarks(look, look.find_vertex(asked.path_parameter("vertexid"))?))
    })
    .await
}

async fn get_backpressure(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| {
        Ok(vertex::render_backpressure(look, look.find_vertex(asked.path_parameter("vertexid"))?))
    })
    .await
}

async fn get_vertex_metrics(State(console): Shared, asked: FlinkRequest) -> Response {
    let of = |look: &FlinkJob<'_>| {
        Ok(metrics::render_vertex_metrics(
            look,
            look.find_vertex(asked.path_parameter("vertexid"))?,
            asked.query_parameter("get"),
        ))
    };
    answer_from_named_job(&console, &asked, of).await
}

async fn get_subtask_metrics(State(console): Shared, asked: FlinkRequest) -> Response {
    let of = |look: &FlinkJob<'_>| {
        let stage = look.find_vertex(asked.path_parameter("vertexid"))?;
        metrics::render_subtask_metrics(
            look,
            stage,
            asked.query_parameter("get"),
            asked.query_parameter("agg"),
            asked.query_parameter("subtasks"),
        )
    };
    answer_from_named_job(&console, &asked, of).await
}

/// Looks whether it is this job that is meant, then does what is asked and answers that it was accepted.
async fn accept_operation(
    console: &JobServerContext,
    asked: &FlinkRequest,
    act: impl FnOnce(&FlinkJob<'_>) -> Result<Value, HttpFault>,
) -> Response {
    let job = console.assemble_job().await;
    let look = flink_job(console, &job);
    answer_outcome(StatusCode::ACCEPTED, look.check_job_id(asked.path_parameter("jobid")).and_then(|()| act(&look)))
}

async fn post_savepoint(State(console): Shared, asked: FlinkRequest, bytes: Bytes) -> Response {
    let act = |_: &FlinkJob<'_>| {
        let body = body::parse_body(body::SavepointBody::FLINK_NAME, &bytes)?;
        operations::begin_savepoint(&console, body)
    };
    accept_operation(&console, &asked, act).await
}

async fn post_stop(State(console): Shared, asked: FlinkRequest, bytes: Bytes) -> Response {
    let act = |_: &FlinkJob<'_>| {
        let body = body::parse_body(body::StopBody::FLINK_NAME, &bytes)?;
        operations::stop_with_savepoint(&console, body)
    };
    accept_operation(&console, &asked, act).await
}

async fn get_savepoint_status(State(console): Shared, asked: FlinkRequest) -> Response {
    answer_from_named_job(&console, &asked, |look| {
        operations::render_savepoint_status(&console, &look.id, asked.path_parameter("triggerid"))
    })
    .await
}

async fn post_checkpoint(
    State(console): Shared,
    Extension(triggers): Extension<CheckpointTriggers>,
    asked: FlinkRequest,
    bytes: Bytes,
) -> Response {
    let act = |look: &FlinkJob<'_>| {
        let body = body::parse_body(body::CheckpointBody::FLINK_NAME, &bytes)?;
        operations::request_checkpoint(look, &triggers, body)
    };
    accept_operation(&console, &asked, act).await
}

async fn get_checkpoint_status(
    State(console): Shared,
    Extension(triggers): Extension<CheckpointTriggers>,
    asked: FlinkRequest,
) -> Response {
    answer_from_named_job(&console, &asked, |look| {
        operations::render_checkpoint_status(look, &triggers, asked.path_parameter("triggerid"))
    })
    .await
}

/// PATCH `/jobs/:id?mode=cancel`, which is also what it means without a mode.
async fn patch_cancel(State(console): Shared, asked: FlinkRequest) -> Response {
    let act = |_: &FlinkJob<'_>| match asked.query_parameter("mode") {
        None | Some("cancel" | "CANCEL") => {
            console.stop_job();
            Ok(json!({}))
        }
        Some("stop" | "STOP") => Err(fault::bad_request(
            "The termination mode \"stop\" is no longer there; POST to /jobs/:jobid/stop stops with a savepoint.",
        )),
        Some(other) => {
            Err(fault::bad_request(format!("Cannot resolve query parameter (mode) from value \"{other}\".")))
        }
    };
    accept_operation(&console, &asked, act).await
}
