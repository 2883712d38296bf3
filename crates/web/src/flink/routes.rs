//! The URLs of Flink's REST API and their handlers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::checkpoint_requests::{CheckpointRequests, remember_checkpoint_request, render_checkpoint_request_status};
use super::checkpoints::{render_checkpoint_config, render_checkpoint_details, render_checkpoint_statistics};
use super::cluster::{render_cluster_config, render_cluster_overview, render_task_managers};
use super::exceptions::render_exceptions;
use super::fault::{bad_query_parameter, bad_request, json_answer};
use super::flink_job::FlinkJob;
use super::flink_request::FlinkRequest;
use super::job::{render_job, render_job_status, render_jobs, render_jobs_overview};
use super::metrics::{AggregateQuery, render_subtask_metrics, render_vertex_metrics};
use super::request_body::parse_request_body;
use super::savepoint_operations::{begin_savepoint, begin_stop_with_savepoint, render_savepoint_status};
use super::vertex::Vertex;
use super::vertex_details::{render_backpressure, render_vertex_details, render_watermarks};
use crate::answers::{HttpFault, answer_method_not_allowed};
use crate::api_route::{ApiRoute, add_routes};
use crate::job::JobReport;
use crate::server_context::{JobServerContext, SharedContext};

/// Returns the routes of the supported part of Flink's REST API, under `/…` and `/v1/…`.
pub fn router() -> Router<Arc<JobServerContext>> {
    let mut router = Router::new();
    // The routes are added twice, and not nested under `/v1`. A nested handler would see the path without `/v1`, and
    // show this path in error messages.
    for prefix in ["", "/v1"] {
        router = add_routes(router, prefix, routes());
    }
    router.method_not_allowed_fallback(answer_method_not_allowed).layer(Extension(CheckpointRequests::default()))
}

/// Returns the routes without a prefix.
pub(crate) fn routes() -> Vec<ApiRoute<Arc<JobServerContext>>> {
    vec![
        ApiRoute::get("/config", get_config),
        ApiRoute::get("/overview", get_cluster_overview),
        ApiRoute::get("/taskmanagers", get_task_managers),
        ApiRoute::get("/jobs", get_jobs),
        ApiRoute::get("/jobs/overview", get_jobs_overview),
        ApiRoute::get("/jobs/{jobid}", get_job).and_patch(patch_cancel),
        ApiRoute::get("/jobs/{jobid}/status", get_job_status),
        ApiRoute::get("/jobs/{jobid}/exceptions", get_exceptions),
        ApiRoute::get("/jobs/{jobid}/checkpoints", get_checkpoints).and_post(post_checkpoint),
        ApiRoute::get("/jobs/{jobid}/checkpoints/config", get_checkpoint_config),
        ApiRoute::get("/jobs/{jobid}/checkpoints/details/{checkpointid}", get_checkpoint_details),
        ApiRoute::get("/jobs/{jobid}/checkpoints/{triggerid}", get_checkpoint_request_status),
        ApiRoute::post("/jobs/{jobid}/savepoints", post_savepoint),
        ApiRoute::get("/jobs/{jobid}/savepoints/{triggerid}", get_savepoint_status),
        ApiRoute::post("/jobs/{jobid}/stop", post_stop),
        ApiRoute::get("/jobs/{jobid}/vertices/{vertexid}", get_vertex),
        ApiRoute::get("/jobs/{jobid}/vertices/{vertexid}/metrics", get_vertex_metrics),
        ApiRoute::get("/jobs/{jobid}/vertices/{vertexid}/subtasks/metrics", get_subtask_metrics),
        ApiRoute::get("/jobs/{jobid}/vertices/{vertexid}/watermarks", get_watermarks),
        ApiRoute::get("/jobs/{jobid}/vertices/{vertexid}/backpressure", get_backpressure),
    ]
}

/// Answers with the JSON that `render` returns for the job.
async fn answer_from_job(context: &JobServerContext, render: impl FnOnce(&FlinkJob<'_>) -> Value) -> Response {
    let report = context.assemble_job_report().await;
    json_answer(StatusCode::OK, &render(&create_flink_job(context, &report)))
}

/// Answers with the JSON that `render` returns for the job, or with a fault if the path names another job.
async fn answer_from_named_job(
    context: &JobServerContext,
    request: &FlinkRequest,
    render: impl FnOnce(&FlinkJob<'_>) -> Result<Value, HttpFault>,
) -> Response {
    let report = context.assemble_job_report().await;
    let job = create_flink_job(context, &report);
    let outcome = job.require_job_id(request.path_parameter("jobid")).and_then(|()| render(&job));
    answer_json_or_fault(StatusCode::OK, outcome)
}

/// Answers with the JSON that `render` returns for the vertex in the path, or with a fault if the job has no such
/// vertex.
async fn answer_from_vertex(
    context: &JobServerContext,
    request: &FlinkRequest,
    render: impl FnOnce(&FlinkJob<'_>, Vertex) -> Result<Value, HttpFault>,
) -> Response {
    let render_vertex = |job: &FlinkJob<'_>| {
        let vertex = job.find_vertex(request.path_parameter("vertexid"))?;
        render(job, vertex)
    };
    answer_from_named_job(context, request, render_vertex).await
}

/// Begins an operation, for example a savepoint. Calls `begin` if the path names this job, and answers 202 with the
/// JSON that `begin` returns. Answers with a fault if the path names another job or `begin` fails.
async fn begin_operation(
    context: &JobServerContext,
    request: &FlinkRequest,
    begin: impl FnOnce(&FlinkJob<'_>) -> Result<Value, HttpFault>,
) -> Response {
    let report = context.assemble_job_report().await;
    let job = create_flink_job(context, &report);
    let outcome = job.require_job_id(request.path_parameter("jobid")).and_then(|()| begin(&job));
    answer_json_or_fault(StatusCode::ACCEPTED, outcome)
}

fn create_flink_job<'a>(context: &'a JobServerContext, report: &'a JobReport) -> FlinkJob<'a> {
    FlinkJob {
        id: context.job_id(),
        pipeline: &context.pipeline,
        checkpoint_location: context.checkpoint_store.place(),
        now_ms: report.assembled_at_ms,
        instances: &report.instances,
    }
}

fn answer_json_or_fault(status: StatusCode, outcome: Result<Value, HttpFault>) -> Response {
    outcome.map_or_else(IntoResponse::into_response, |value| json_answer(status, &value))
}

async fn get_config(State(context): SharedContext) -> Response {
    answer_from_job(&context, render_cluster_config).await
}

async fn get_cluster_overview(State(context): SharedContext) -> Response {
    answer_from_job(&context, render_cluster_overview).await
}

async fn get_task_managers(State(context): SharedContext) -> Response {
    answer_from_job(&context, render_task_managers).await
}

async fn get_jobs(State(context): SharedContext) -> Response {
    answer_from_job(&context, render_jobs).await
}

async fn get_jobs_overview(State(context): SharedContext) -> Response {
    answer_from_job(&context, render_jobs_overview).await
}

async fn get_job(State(context): SharedContext, request: FlinkRequest) -> Response {
    answer_from_named_job(&context, &request, |job| Ok(render_job(job))).await
}

async fn get_job_status(State(context): SharedContext, request: FlinkRequest) -> Response {
    answer_from_named_job(&context, &request, |job| Ok(render_job_status(job))).await
}

async fn get_exceptions(State(context): SharedContext, request: FlinkRequest) -> Response {
    let render = |job: &FlinkJob<'_>| render_exceptions(job, request.query_parameter("maxExceptions"));
    answer_from_named_job(&context, &request, render).await
}

async fn get_checkpoints(State(context): SharedContext, request: FlinkRequest) -> Response {
    answer_from_named_job(&context, &request, |job| Ok(render_checkpoint_statistics(job))).await
}

async fn get_checkpoint_config(State(context): SharedContext, request: FlinkRequest) -> Response {
    answer_from_named_job(&context, &request, |job| Ok(render_checkpoint_config(job))).await
}

async fn get_checkpoint_details(State(context): SharedContext, request: FlinkRequest) -> Response {
    let render = |job: &FlinkJob<'_>| render_checkpoint_details(job, request.path_parameter("checkpointid"));
    answer_from_named_job(&context, &request, render).await
}

async fn get_vertex(State(context): SharedContext, request: FlinkRequest) -> Response {
    answer_from_vertex(&context, &request, |job, vertex| Ok(render_vertex_details(job, vertex))).await
}

async fn get_watermarks(State(context): SharedContext, request: FlinkRequest) -> Response {
    answer_from_vertex(&context, &request, |job, vertex| Ok(render_watermarks(job, vertex))).await
}

async fn get_backpressure(State(context): SharedContext, request: FlinkRequest) -> Response {
    answer_from_vertex(&context, &request, |job, vertex| Ok(render_backpressure(job, vertex))).await
}

async fn get_vertex_metrics(State(context): SharedContext, request: FlinkRequest) -> Response {
    let render = |job: &FlinkJob<'_>, vertex| Ok(render_vertex_metrics(job, vertex, request.query_parameter("get")));
    answer_from_vertex(&context, &request, render).await
}

async fn get_subtask_metrics(State(context): SharedContext, request: FlinkRequest) -> Response {
    let query = AggregateQuery {
        metric_names: request.query_parameter("get"),
        aggregate_names: request.query_parameter("agg"),
        subtask_ranges: request.query_parameter("subtasks"),
    };
    answer_from_vertex(&context, &request, |job, vertex| render_subtask_metrics(job, vertex, &query)).await
}

async fn post_savepoint(State(context): SharedContext, request: FlinkRequest, body: Bytes) -> Response {
    let begin = |_: &FlinkJob<'_>| begin_savepoint(&context, parse_request_body(&body)?);
    begin_operation(&context, &request, begin).await
}

async fn post_stop(State(context): SharedContext, request: FlinkRequest, body: Bytes) -> Response {
    let begin = |_: &FlinkJob<'_>| begin_stop_with_savepoint(&context, parse_request_body(&body)?);
    begin_operation(&context, &request, begin).await
}

async fn get_savepoint_status(State(context): SharedContext, request: FlinkRequest) -> Response {
    let render = |job: &FlinkJob<'_>| render_savepoint_status(&context, &job.id, request.path_parameter("triggerid"));
    answer_from_named_job(&context, &request, render).await
}

async fn post_checkpoint(
    State(context): SharedContext,
    Extension(checkpoint_requests): Extension<CheckpointRequests>,
    request: FlinkRequest,
    body: Bytes,
) -> Response {
    let begin = |job: &FlinkJob<'_>| remember_checkpoint_request(job, &checkpoint_requests, parse_request_body(&body)?);
    begin_operation(&context, &request, begin).await
}

async fn get_checkpoint_request_status(
    State(context): SharedContext,
    Extension(checkpoint_requests): Extension<CheckpointRequests>,
    request: FlinkRequest,
) -> Response {
    let render = |job: &FlinkJob<'_>| {
        render_checkpoint_request_status(job, &checkpoint_requests, request.path_parameter("triggerid"))
    };
    answer_from_named_job(&context, &request, render).await
}

/// Answers PATCH `/jobs/:id?mode=cancel`. A request without a mode also cancels the job.
async fn patch_cancel(State(context): SharedContext, request: FlinkRequest) -> Response {
    let begin = |_: &FlinkJob<'_>| match request.query_parameter("mode") {
        None | Some("cancel" | "CANCEL") => {
            context.begin_job_stop();
            Ok(json!({}))
        }
        Some("stop" | "STOP") => Err(bad_request(
            "The termination mode \"stop\" no longer exists. Send POST /jobs/:jobid/stop to stop with a savepoint.",
        )),
        Some(other) => Err(bad_query_parameter("mode", other)),
    };
    begin_operation(&context, &request, begin).await
}
