//! All paths of a job's server.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::server_context::JobServerContext;
use crate::{api, assets, flink, health, metrics};

/// The paths of pages. All have the same file, which reads its own path to decide what to show.
const PAGES: [&str; 7] =
    ["/", "/partitions", "/checkpoints", "/features", "/features/{user}", "/problems", "/pipeline"];

/// Returns the job's pages, their JSON, health, Flink's REST and metrics. Apply [`crate::guard::protect`] to the result.
pub fn build_job_router(context: Arc<JobServerContext>) -> Router {
    let mut router = Router::new();
    for page in PAGES {
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
