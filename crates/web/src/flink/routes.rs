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

use super::fault::{self, Fault, answer};
use super::look::Look;
use super::operations::Triggers;
use super::{body, checkpoints, cluster, exceptions, job, metrics, operations, vertex};
use crate::answers::wrong_method;
use crate::{Console, Job};

type Shared = State<Arc<Console>>;

/// Flink's REST API, as far as it is answered, as `/…` and `/v1/…`.
pub fn router() -> Router<Arc<Console>> {
    let mut router = Router::new();
    // Not nested: who asks wrongly is told the whole path.
    for prefix in ["", "/v1"] {
        let at = |path: &str| format!("{prefix}{path}");
        router = router
            .route(&at("/config"), get(config))
            .route(&at("/overview"), get(overview))
            .route(&at("/taskmanagers"), get(task_managers))
            .route(&at("/jobs"), get(jobs))
            .route(&at("/jobs/overview"), get(jobs_overview))
            .route(&at("/jobs/{jobid}"), get(details).patch(cancel))
            .route(&at("/jobs/{jobid}/status"), get(status))
            .route(&at("/jobs/{jobid}/exceptions"), get(exceptions))
            .route(&at("/jobs/{jobid}/checkpoints"), get(statistics).post(checkpoint))
            .route(&at("/jobs/{jobid}/checkpoints/config"), get(checkpoint_config))
            .route(&at("/jobs/{jobid}/checkpoints/details/{checkpointid}"), get(checkpoint_details))
            .route(&at("/jobs/{jobid}/checkpoints/{triggerid}"), get(checkpoint_status))
            .route(&at("/jobs/{jobid}/savepoints"), post(savepoint))
            .route(&at("/jobs/{jobid}/savepoints/{triggerid}"), get(savepoint_status))
            .route(&at("/jobs/{jobid}/stop"), post(stop))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}"), get(vertex_details))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/metrics"), get(vertex_metrics))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/subtasks/metrics"), get(subtask_metrics))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/watermarks"), get(watermarks))
            .route(&at("/jobs/{jobid}/vertices/{vertexid}/backpressure"), get(backpressure));
    }
    router.method_not_allowed_fallback(wrong_method).layer(Extension(Triggers::default()))
}

/// What a path and its query name.
struct Asked {
    path: HashMap<String, String>,
    query: HashMap<String, String>,
}

impl Asked {
    fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let wrong = |reason: String| fault::bad(format!("Bad request, could not parse parameters: {reason}"));
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
async fn looked(console: &Console, of: impl FnOnce(&Look<'_>) -> Result<Value, Fault>) -> Response {
    let job = console.job().await;
    reply(StatusCode::OK, of(&look(console, &job)))
}

/// The same of the job that is asked for.
async fn of_job(console: &Console, asked: &Asked, of: impl FnOnce(&Look<'_>) -> Result<Value, Fault>) -> Response {
    looked(console, |look| look.is(asked.path("jobid")).and_then(|()| of(look))).await
}

fn look<'a>(console: &'a Console, job: &'a Job) -> Look<'a> {
    Look {
        id: console.job_id(),
        pipeline: &console.pipeline,
        place: console.store.place(),
        now_ms: job.now_ms,
        instances: &job.instances,
    }
}

fn reply(status: StatusCode, outcome: Result<Value, Fault>) -> Response {
    outcome.map_or_else(IntoResponse::into_response, |value| answer(status, &value))
}

async fn config(State(console): Shared) -> Response {
    looked(&console, |look| Ok(cluster::config(look))).await
}

async fn overview(State(console): Shared) -> Response {
    looked(&console, |look| Ok(cluster::overview(look))).await
}

async fn task_managers(State(console): Shared) -> Response {
    looked(&console, |look| Ok(cluster::task_managers(look))).await
}

async fn jobs(State(console): Shared) -> Response {
    looked(&console, |look| Ok(job::jobs(look))).await
}

async fn jobs_overview(State(console): Shared) -> Response {
    looked(&console, |look| Ok(job::overview(look))).await
}

async fn details(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| Ok(job::details(look))).await
}

async fn status(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| Ok(job::status(look))).await
}

async fn exceptions(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| exceptions::exceptions(look, asked.query("maxExceptions"))).await
}

async fn statistics(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| Ok(checkpoints::statistics(look))).await
}

async fn checkpoint_config(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| Ok(checkpoints::config(look))).await
}

async fn checkpoint_details(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| checkpoints::details(look, asked.path("checkpointid"))).await
}

async fn vertex_details(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| Ok(vertex::details(look, look.stage(asked.path("vertexid"))?))).await
}

async fn watermarks(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| Ok(vertex::watermarks(look, look.stage(asked.path("vertexid"))?))).await
}

async fn backpressure(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| Ok(vertex::backpressure(look, look.stage(asked.path("vertexid"))?))).await
}

async fn vertex_metrics(State(console): Shared, asked: Asked) -> Response {
    let of = |look: &Look<'_>| Ok(metrics::of_vertex(look, look.stage(asked.path("vertexid"))?, asked.query("get")));
    of_job(&console, &asked, of).await
}

async fn subtask_metrics(State(console): Shared, asked: Asked) -> Response {
    let of = |look: &Look<'_>| {
        let stage = look.stage(asked.path("vertexid"))?;
        metrics::of_subtasks(look, stage, asked.query("get"), asked.query("agg"), asked.query("subtasks"))
    };
    of_job(&console, &asked, of).await
}

/// Looks whether it is this job that is meant, then does what is asked and answers that it was accepted.
async fn accepted(console: &Console, asked: &Asked, act: impl FnOnce(&Look<'_>) -> Result<Value, Fault>) -> Response {
    let job = console.job().await;
    let look = look(console, &job);
    reply(StatusCode::ACCEPTED, look.is(asked.path("jobid")).and_then(|()| act(&look)))
}

async fn savepoint(State(console): Shared, asked: Asked, bytes: Bytes) -> Response {
    let act = |_: &Look<'_>| {
        let body = body::read(body::Savepoint::NAME, &bytes)?;
        operations::savepoint(&console, body)
    };
    accepted(&console, &asked, act).await
}

async fn stop(State(console): Shared, asked: Asked, bytes: Bytes) -> Response {
    let act = |_: &Look<'_>| {
        let body = body::read(body::Stop::NAME, &bytes)?;
        operations::stop(&console, body)
    };
    accepted(&console, &asked, act).await
}

async fn savepoint_status(State(console): Shared, asked: Asked) -> Response {
    of_job(&console, &asked, |look| operations::savepoint_status(&console, &look.id, asked.path("triggerid"))).await
}

async fn checkpoint(
    State(console): Shared,
    Extension(triggers): Extension<Triggers>,
    asked: Asked,
    bytes: Bytes,
) -> Response {
    let act = |look: &Look<'_>| {
        let body = body::read(body::Checkpoint::NAME, &bytes)?;
        operations::checkpoint(look, &triggers, body)
    };
    accepted(&console, &asked, act).await
}

async fn checkpoint_status(State(console): Shared, Extension(triggers): Extension<Triggers>, asked: Asked) -> Response {
    of_job(&console, &asked, |look| operations::checkpoint_status(look, &triggers, asked.path("triggerid"))).await
}

/// PATCH `/jobs/:id?mode=cancel`, which is also what it means without a mode.
async fn cancel(State(console): Shared, asked: Asked) -> Response {
    let act = |_: &Look<'_>| match asked.query("mode") {
        None | Some("cancel" | "CANCEL") => {
            console.stop_job();
            Ok(json!({}))
        }
        Some("stop" | "STOP") => Err(fault::bad(
            "The termination mode \"stop\" is no longer there; POST to /jobs/:jobid/stop stops with a savepoint.",
        )),
        Some(other) => Err(fault::bad(format!("Cannot resolve query parameter (mode) from value \"{other}\"."))),
    };
    accepted(&console, &asked, act).await
}
