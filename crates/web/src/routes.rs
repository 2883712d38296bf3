//! Assembles all routes of a job's server.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::server_context::JobServerContext;
use crate::{api, assets, flink, health, metrics};

/// The paths of the job's pages. For every path, the server sends the same HTML file. The script in this file chooses
/// the page by the path.
const PAGE_PATHS: [&str; 7] =
    ["/", "/partitions", "/checkpoints", "/features", "/features/{user}", "/problems", "/pipeline"];

/// Returns all routes of a job's server: pages, JSON API, health checks, Flink's REST API and metrics. The routes do
/// not check access, so the caller must apply [`crate::guard::protect`].
pub fn build_job_router(context: Arc<JobServerContext>) -> Router {
    let mut router = Router::new();
    for page in PAGE_PATHS {
        router = router.route(page, get(serve_job_page));
    }
    router
        .merge(assets::router())
        .merge(api::router())
        .merge(flink::router())
        .merge(health::router())
        .merge(metrics::router())
        .with_state(context)
}

async fn serve_job_page(headers: HeaderMap) -> impl IntoResponse {
    assets::answer_with_asset("job/index.html", &headers)
}
