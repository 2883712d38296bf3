//! Assembles all routes of a job's server.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::server_context::JobServerContext;
use crate::{api, assets, flink, health, metrics};

/// The paths of the job's pages. All serve the same HTML file, whose script reads the path to choose the page.
const PAGE_PATHS: [&str; 7] =
    ["/", "/partitions", "/checkpoints", "/features", "/features/{user}", "/problems", "/pipeline"];

/// Returns the routes of the job's pages, JSON, health, Flink's REST API and metrics. They do not check access
/// until the caller applies [`crate::guard::protect`].
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
