//! The JSON API that the job's pages use. `docs/rest_api.md` describes the API.
//!
//! Owns: the routes under `/api` and their JSON, one file for each page. Does not own: the totals over all instances of
//! the job ([`crate::JobReport`]).
//! Invariants: (1) An answer about the job is made from the reports of all instances, so every instance gives the same
//! answer. (2) Data from a record appears only in JSON strings. (3) The number of simultaneous reads from Redis and
//! from the checkpoint store is limited. A request waits only a limited time for such a read.
//! After a crash: no state survives, and none is needed.

mod checkpoints;
mod instances;
mod item_with_instance;
mod overview;
mod partitions;
mod pipeline;
mod problems;
mod recent_rows;
mod savepoint_list;
mod savepoints;
mod stages;
mod user_features;

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::live::LiveFeeds;
use crate::server_context::JobServerContext;

/// Returns all routes under `/api`.
pub fn router() -> Router<Arc<JobServerContext>> {
    Router::new()
        .route("/api/overview", get(overview::get_overview))
        .route("/api/overview/live", get(overview::stream_overview))
        .route("/api/partitions", get(partitions::get_partitions))
        .route("/api/partitions/live", get(partitions::stream_partitions))
        .route("/api/checkpoints", get(checkpoints::get_checkpoints))
        .route("/api/checkpoints/live", get(checkpoints::stream_checkpoints))
        .route("/api/features", get(user_features::get_features))
        .route("/api/features/live", get(user_features::stream_features))
        .route("/api/rows", get(recent_rows::get_recent_rows))
        .route("/api/rows/live", get(recent_rows::stream_recent_rows))
        .route("/api/problems", get(problems::get_problems))
        .route("/api/problems/live", get(problems::stream_problems))
        .route("/api/pipeline", get(pipeline::get_pipeline))
        .route("/api/instances", get(instances::get_instances))
        .route("/api/savepoints", post(savepoints::begin_savepoint))
        .route("/api/savepoints/{request}", get(savepoints::get_savepoint_state))
        .layer(Extension(LiveFeeds::default()))
        .layer(Extension(savepoint_list::SavepointListCache::default()))
        .layer(Extension(user_features::UserRowLookup::default()))
}
