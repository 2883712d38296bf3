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

use crate::answers::{QueryParameters, to_json_text};
use crate::live::{LiveFeeds, MESSAGE_INTERVAL, MessageBuilder};
use crate::report::InstanceReport;
use crate::{JobReport, JobServerContext};

pub use features::UserRowLookup;

/// Rows that one answer holds at most.
const ROWS_PER_ANSWER_MAX: usize = 1_000;

type SharedContext = State<Arc<JobServerContext>>;

/// All of `/api`.
pub fn router() -> Router<Arc<JobServerContext>> {
    Router::new()
        .route("/api/overview", get(get_overview))
        .route("/api/overview/live", get(stream_overview))
        .route("/api/partitions", get(async |State(console): SharedContext| Json(render_partitions(&console).await)))
        .route("/api/partitions/live", get(stream_partitions))
        .route("/api/checkpoints", get(checkpoints::get_checkpoints))
        .route("/api/checkpoints/live", get(checkpoints::stream_checkpoints))
        .route("/api/features", get(features::get_features))
        .route("/api/features/live", get(features::stream_features))
        .route("/api/rows", get(get_rows))
        .route("/api/rows/live", get(stream_rows))
        .route(
            "/api/problems",
            get(async |State(console): SharedContext| Json(problems::render_problems(&console).await)),
        )
        .route("/api/problems/live", get(stream_problems))
        .route("/api/pipeline", get(get_pipeline))
        .route("/api/instances", get(get_instances))
        .route("/api/savepoints", post(savepoints::begin_savepoint))
        .route("/api/savepoints/{request}", get(savepoints::get_savepoint))
        .layer(Extension(LiveFeeds::default()))
        .layer(Extension(checkpoints::SavepointListCache::default()))
        .layer(Extension(UserRowLookup::default()))
}

/// Something that an instance says, with its name.
#[derive(Serialize)]
struct InstanceItem<'a, T> {
    instance: &'a str,
    host: &'a str,
    here: bool,
    #[serde(flatten)]
    item: &'a T,
}

/// What `of` takes from each report, newest first by `at`, at most `limit`.
fn newest_items<'a, T: Serialize + 'a>(
    job: &'a JobReport,
    of: impl Fn(&'a InstanceReport) -> &'a [T],
    at: impl Fn(&T) -> i64,
    limit: usize,
) -> Vec<InstanceItem<'a, T>> {
    job.newest_items(of, at).into_iter().take(limit).map(|(one, it)| attribute_to_instance(job, one, it)).collect()
}

fn attribute_to_instance<'a, T>(job: &JobReport, one: &'a InstanceReport, it: &'a T) -> InstanceItem<'a, T> {
    InstanceItem { instance: &one.instance, host: &one.host, here: is_own_instance(job, one), item: it }
}

fn is_own_instance(job: &JobReport, one: &InstanceReport) -> bool {
    job.instances.first().is_some_and(|here| here.instance == one.instance)
}

/// A feed's way to build its messages from the console.
fn message_builder<F>(
    console: &Arc<JobServerContext>,
    of: impl Fn(Arc<JobServerContext>, u64) -> F + Send + Sync + 'static,
) -> MessageBuilder
where
    F: Future<Output = String> + Send + 'static,
{
    let console = Arc::clone(console);
    Arc::new(move |second| of(Arc::clone(&console), second).boxed())
}

#[derive(Deserialize)]
struct OverviewQuery {
    #[serde(default = "yes")]
    history: bool,
}

const fn yes() -> bool {
    true
}

async fn get_overview(
    State(console): SharedContext,
    QueryParameters(OverviewQuery { history }): QueryParameters<OverviewQuery>,
) -> impl IntoResponse {
    Json(overview::render_overview(&console, &console.assemble_job().await, history))
}

async fn stream_overview(State(console): SharedContext, Extension(feeds): Extension<LiveFeeds>) -> impl IntoResponse {
    let message = async |console: Arc<JobServerContext>, second: u64| {
        let job = console.assemble_job().await;
        to_json_text(&overview::render_overview(&console, &job, second.is_multiple_of(10)))
    };
    feeds.follow("overview".to_owned(), MESSAGE_INTERVAL, message_builder(&console, message))
}

async fn render_partitions(console: &JobServerContext) -> Value {
    let job = console.assemble_job().await;
    let all: Vec<Value> = job
        .partitions()
        .into_iter()
        .map(|partition| match partition.owner {
            Some((one, report)) => json!(attribute_to_instance(&job, one, report)),
            None => json!({ "partition": partition.partition, "instance": null, "host": null }),
        })
        .collect();
    json!({ "now_ms": job.now_ms, "topic": console.pipeline.source.kafka().topic, "partitions": all })
}

async fn stream_partitions(State(console): SharedContext, Extension(feeds): Extension<LiveFeeds>) -> impl IntoResponse {
    let message = async |console: Arc<JobServerContext>, _| to_json_text(&render_partitions(&console).await);
    feeds.follow("partitions".to_owned(), MESSAGE_INTERVAL, message_builder(&console, message))
}

async fn stream_problems(State(console): SharedContext, Extension(feeds): Extension<LiveFeeds>) -> impl IntoResponse {
    let message = async |console: Arc<JobServerContext>, _| to_json_text(&problems::render_problems(&console).await);
    feeds.follow("problems".to_owned(), MESSAGE_INTERVAL, message_builder(&console, message))
}

#[derive(Deserialize)]
struct RowsQuery {
    #[serde(default = "fifty")]
    limit: usize,
}

const fn fifty() -> usize {
    50
}

async fn get_rows(
    State(console): SharedContext,
    QueryParameters(RowsQuery { limit }): QueryParameters<RowsQuery>,
) -> impl IntoResponse {
    Json(render_recent_rows(&console, limit))
}

async fn stream_rows(
    State(console): SharedContext,
    QueryParameters(RowsQuery { limit }): QueryParameters<RowsQuery>,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let limit = limit.min(ROWS_PER_ANSWER_MAX);
    let message =
        move |console: Arc<JobServerContext>, _| async move { to_json_text(&render_recent_rows(&console, limit)) };
    feeds.follow(format!("rows {limit}"), MESSAGE_INTERVAL, message_builder(&console, message))
}

fn render_recent_rows(console: &JobServerContext, limit: usize) -> Value {
    let rows = console.recent_rows.newest_rows(limit.min(ROWS_PER_ANSWER_MAX), None);
    let row = |row: windrow_connectors::redis::WrittenRow| {
        let view = console.pipeline.views.get(row.view.0).map(|view| view.name.to_string());
        json!({
            "at_ms": row.acknowledged_at_ms, "feature_view": view, "redis_key": row.redis_key, "fields": row.fields,
            "ttl_ms": row.ttl_ms,
        })
    };
    json!({ "now_ms": now_ms(), "rows": rows.into_iter().map(row).collect::<Vec<_>>() })
}

async fn get_pipeline(State(console): SharedContext) -> impl IntoResponse {
    Json(json!({ "name": console.pipeline.name, "text": console.pipeline_text, "plan": console.plan }))
}

async fn get_instances(State(console): SharedContext) -> impl IntoResponse {
    let job = console.assemble_job().await;
    Json(json!({ "now_ms": job.now_ms, "instances": job.instances }))
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
