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

use axum::{Extension, Router};

use crate::api_route::{ApiRoute, add_routes};
use crate::live::LiveFeeds;
use crate::server_context::JobServerContext;

/// Returns all routes under `/api`.
pub fn router() -> Router<Arc<JobServerContext>> {
    add_routes(Router::new(), "", routes())
        .layer(Extension(LiveFeeds::default()))
        .layer(Extension(savepoint_list::SavepointListCache::default()))
        .layer(Extension(user_features::UserRowLookup::default()))
}

pub(crate) fn routes() -> Vec<ApiRoute<Arc<JobServerContext>>> {
    vec![
        ApiRoute::get("/api/overview", overview::get_overview),
        ApiRoute::get("/api/overview/live", overview::stream_overview),
        ApiRoute::get("/api/partitions", partitions::get_partitions),
        ApiRoute::get("/api/partitions/live", partitions::stream_partitions),
        ApiRoute::get("/api/checkpoints", checkpoints::get_checkpoints),
        ApiRoute::get("/api/checkpoints/live", checkpoints::stream_checkpoints),
        ApiRoute::get("/api/features", user_features::get_features),
        ApiRoute::get("/api/features/live", user_features::stream_features),
        ApiRoute::get("/api/rows", recent_rows::get_recent_rows),
        ApiRoute::get("/api/rows/live", recent_rows::stream_recent_rows),
        ApiRoute::get("/api/problems", problems::get_problems),
        ApiRoute::get("/api/problems/live", problems::stream_problems),
        ApiRoute::get("/api/pipeline", pipeline::get_pipeline),
        ApiRoute::get("/api/instances", instances::get_instances),
        ApiRoute::post("/api/savepoints", savepoints::begin_savepoint),
        ApiRoute::get("/api/savepoints/{request}", savepoints::get_savepoint_state),
    ]
}
