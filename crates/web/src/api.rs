//! The JSON beside every page, as `docs/api.md` says it.
//!
//! Owns: shapes and routes, one file per page. Does not own: what is added up over instances ([`crate::Job`]).
//! Invariants: (1) what a page shows is a function of the job, and for a user of what Redis answered; (2) what comes from
//! a record is only ever a JSON string; (3) Redis and the checkpoint store are asked by few at a time, and not waited for
//! for long.

mod checkpoints;
mod features;
mod overview;
mod problems;
mod savepoints;
mod stages;

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answers::{Parameters, text};
use crate::live::{Build, EVERY, Feeds};
use crate::report::InstanceReport;
use crate::{Console, Job};

pub use features::Lookups;

/// Rows that one answer holds at most.
const ROWS_MAX: usize = 1_000;

type Shared = State<Arc<Console>>;

/// All of `/api`.
pub fn router() -> Router<Arc<Console>> {
    Router::new()
        .route("/api/overview", get(overview))
        .route("/api/overview/live", get(overview_live))
        .route("/api/partitions", get(async |State(console): Shared| Json(partitions(&console).await)))
        .route("/api/partitions/live", get(partitions_live))
        .route("/api/checkpoints", get(checkpoints::now))
        .route("/api/checkpoints/live", get(checkpoints::live))
        .route("/api/features", get(features::now))
        .route("/api/features/live", get(features::live))
        .route("/api/rows", get(rows))
        .route("/api/rows/live", get(rows_live))
        .route("/api/problems", get(async |State(console): Shared| Json(problems::of(&console).await)))
        .route("/api/problems/live", get(problems_live))
        .route("/api/pipeline", get(pipeline))
        .route("/api/instances", get(instances))
        .route("/api/savepoints", post(savepoints::begin))
        .route("/api/savepoints/{request}", get(savepoints::outcome))
        .layer(Extension(Feeds::default()))
        .layer(Extension(checkpoints::Savepoints::default()))
        .layer(Extension(Lookups::default()))
}

/// Something that an instance says, with its name.
#[derive(Serialize)]
struct Of<'a, T> {
    instance: &'a str,
    host: &'a str,
    here: bool,
    #[serde(flatten)]
    it: &'a T,
}

/// What `of` takes from each report, newest first by `at`, at most `limit`.
fn newest<'a, T: Serialize + 'a>(
    job: &'a Job,
    of: impl Fn(&'a InstanceReport) -> &'a [T],
    at: impl Fn(&T) -> i64,
    limit: usize,
) -> Vec<Of<'a, T>> {
    job.newest(of, at).into_iter().take(limit).map(|(one, it)| said_by(job, one, it)).collect()
}

fn said_by<'a, T>(job: &Job, one: &'a InstanceReport, it: &'a T) -> Of<'a, T> {
    Of { instance: &one.instance, host: &one.host, here: is_here(job, one), it }
}

fn is_here(job: &Job, one: &InstanceReport) -> bool {
    job.instances.first().is_some_and(|here| here.instance == one.instance)
}

/// A feed's way to build its messages from the console.
fn build<F>(console: &Arc<Console>, of: impl Fn(Arc<Console>, u64) -> F + Send + Sync + 'static) -> Build
where
    F: Future<Output = String> + Send + 'static,
{
    let console = Arc::clone(console);
    Arc::new(move |second| of(Arc::clone(&console), second).boxed())
}

#[derive(Deserialize)]
struct WithHistory {
    #[serde(default = "yes")]
    history: bool,
}

const fn yes() -> bool {
    true
}

async fn overview(
    State(console): Shared,
    Parameters(WithHistory { history }): Parameters<WithHistory>,
) -> impl IntoResponse {
    Json(overview::of(&console, &console.job().await, history))
}

async fn overview_live(State(console): Shared, Extension(feeds): Extension<Feeds>) -> impl IntoResponse {
    let message = async |console: Arc<Console>, second: u64| {
        let job = console.job().await;
        text(&overview::of(&console, &job, second.is_multiple_of(10)))
    };
    feeds.follow("overview".to_owned(), EVERY, build(&console, message))
}

async fn partitions(console: &Console) -> Value {
    let job = console.job().await;
    let all: Vec<Value> = job
        .partitions()
        .into_iter()
        .map(|partition| match partition.owner {
            Some((one, report)) => json!(said_by(&job, one, report)),
            None => json!({ "partition": partition.partition, "instance": null, "host": null }),
        })
        .collect();
    json!({ "now_ms": job.now_ms, "topic": console.pipeline.source.topic, "partitions": all })
}

async fn partitions_live(State(console): Shared, Extension(feeds): Extension<Feeds>) -> impl IntoResponse {
    let message = async |console: Arc<Console>, _| text(&partitions(&console).await);
    feeds.follow("partitions".to_owned(), EVERY, build(&console, message))
}

async fn problems_live(State(console): Shared, Extension(feeds): Extension<Feeds>) -> impl IntoResponse {
    let message = async |console: Arc<Console>, _| text(&problems::of(&console).await);
    feeds.follow("problems".to_owned(), EVERY, build(&console, message))
}

#[derive(Deserialize)]
struct Limit {
    #[serde(default = "fifty")]
    limit: usize,
}

const fn fifty() -> usize {
    50
}

async fn rows(State(console): Shared, Parameters(Limit { limit }): Parameters<Limit>) -> impl IntoResponse {
    Json(written(&console, limit))
}

async fn rows_live(
    State(console): Shared,
    Parameters(Limit { limit }): Parameters<Limit>,
    Extension(feeds): Extension<Feeds>,
) -> impl IntoResponse {
    let limit = limit.min(ROWS_MAX);
    let message = move |console: Arc<Console>, _| async move { text(&written(&console, limit)) };
    feeds.follow(format!("rows {limit}"), EVERY, build(&console, message))
}

fn written(console: &Console, limit: usize) -> Value {
    let rows = console.rows.recent(limit.min(ROWS_MAX), None);
    let row = |row: windrow_connectors::redis::WrittenRow| {
        let view = console.pipeline.views.get(row.view.0).map(|view| view.feature_view.name.to_string());
        json!({
            "at_ms": row.at_ms, "feature_view": view, "redis_key": row.redis_key, "fields": row.fields,
            "ttl_ms": row.ttl_ms,
        })
    };
    json!({ "now_ms": now_ms(), "rows": rows.into_iter().map(row).collect::<Vec<_>>() })
}

async fn pipeline(State(console): Shared) -> impl IntoResponse {
    Json(json!({ "name": console.pipeline.name, "text": console.pipeline_text, "plan": console.plan }))
}

async fn instances(State(console): Shared) -> impl IntoResponse {
    let job = console.job().await;
    Json(json!({ "now_ms": job.now_ms, "instances": job.instances }))
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
