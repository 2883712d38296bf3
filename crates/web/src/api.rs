//! The JSON of every page, as `docs/api.md` describes it.
//!
//! Owns: shapes and routes, one file per page. Does not own: adding up over instances ([`crate::JobReport`]).
//! Invariants: (1) what a page shows depends on the job alone, and for a user on the answer of Redis; (2) data from a record
//! is only ever a JSON string; (3) few requests at a time ask Redis and the checkpoint store, and none waits for long.
//! After a crash: nothing survives or needs to.

mod checkpoints;
mod features;
mod instance_item;
mod instances;
mod overview;
mod partitions;
mod pipeline;
mod problems;
mod rows;
mod savepoint_list;
mod savepoints;
mod stages;

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::live::LiveFeeds;
use crate::server_context::JobServerContext;

/// Returns all routes of `/api`.
pub fn router() -> Router<Arc<JobServerContext>> {
    Router::new()
        .route("/api/overview", get(overview::get_overview))
        .route("/api/overview/live", get(overview::stream_overview))
        .route("/api/partitions", get(partitions::get_partitions))
        .route("/api/partitions/live", get(partitions::stream_partitions))
        .route("/api/checkpoints", get(checkpoints::get_checkpoints))
        .route("/api/checkpoints/live", get(checkpoints::stream_checkpoints))
        .route("/api/features", get(features::get_features))
        .route("/api/features/live", get(features::stream_features))
        .route("/api/rows", get(rows::get_rows))
        .route("/api/rows/live", get(rows::stream_rows))
        .route("/api/problems", get(problems::get_problems))
        .route("/api/problems/live", get(problems::stream_problems))
        .route("/api/pipeline", get(pipeline::get_pipeline))
        .route("/api/instances", get(instances::get_instances))
        .route("/api/savepoints", post(savepoints::begin_savepoint))
        .route("/api/savepoints/{request}", get(savepoints::get_savepoint))
        .layer(Extension(LiveFeeds::default()))
        .layer(Extension(savepoint_list::SavepointListCache::default()))
        .layer(Extension(features::UserRowLookup::default()))
}
